// One incident in the list: what it is, what can be done at once, and its card when opened.

import { Card } from "./card.js";
import { act, edit } from "./calls.js";
import { ago, clock, make, mark, say, tell } from "./dom.js";

const STATUS = {
  triggered: ["●", "Triggered"],
  acknowledged: ["◐", "Acknowledged"],
  resolved: ["✓", "Resolved"],
};

const AT_ONCE = {
  triggered: [["acknowledged", "Acknowledge"], ["resolved", "Resolve"]],
  acknowledged: [["triggered", "Un-acknowledge"], ["resolved", "Resolve"]],
  resolved: [["triggered", "Reopen"]],
};

export class Row {
  /** `page` is asked who acts, what the names are, and to look again after something was done. */
  constructor(id, page) {
    this.id = id;
    this.page = page;
    this.card = null;
    this.sign = make("span", { "aria-hidden": "true" });
    this.status = make("span");
    this.badge = make("span", { class: "badge" }, this.sign, " ", this.status);
    this.title = make("button", { type: "button", class: "title", "aria-expanded": "false", click: () => page.choose(id) });
    this.number = make("span", { class: "number" });
    this.inline = make("span", { class: "inline" });
    this.error = make("p", { class: "error", role: "alert", hidden: true });
    this.urgency = make("span");
    this.priority = make("small");
    this.assignee = make("span");
    this.policy = make("small");
    this.service = make("td", { class: "service" });
    this.changed = make("td", { class: "changed" });
    this.buttons = make("td", { class: "actions" });
    this.element = make("tbody", { class: "incident" },
      make("tr", {},
        make("td", { class: "status" }, this.badge),
        make("td", {}, this.title, make("small", {}, this.number, " ", make("code", {}, id), this.inline), this.error),
        make("td", {}, this.urgency, this.priority),
        make("td", {}, this.assignee, this.policy),
        this.service, this.changed, this.buttons));
  }

  /** Show the incident as it is now; only what differs is touched. */
  update(incident, now) {
    this.incident = incident;
    const { names } = this.page;
    const [sign, status] = STATUS[incident.status];
    mark(this.element, "data-status", incident.status);
    say(this.sign, sign);
    say(this.status, status);
    say(this.title, incident.title);
    say(this.number, `#${incident.number}`);
    say(this.inline, ` ${names.service(incident.service)}`);
    say(this.urgency, incident.urgency === "high" ? "High" : "Low");
    mark(this.urgency, "class", incident.urgency);
    say(this.priority, names.priority(incident.priority));
    say(this.assignee, incident.assignees.map(names.user).join(", ") || "nobody");
    say(this.policy, `${names.policy(incident.policy)}, level ${incident.level}`);
    say(this.service, names.service(incident.service));
    say(this.changed, ago(incident.changed_at, now));
    mark(this.changed, "title", clock(incident.changed_at));
    this.offerButtons(AT_ONCE[incident.status]);
    this.card?.update(incident, now);
  }

  offerButtons(offers) {
    const offered = offers.map(([, text]) => text).join();
    if (this.buttons.offered === offered) return;
    const held = this.buttons.contains(document.activeElement);
    this.buttons.offered = offered;
    this.buttons.replaceChildren(...offers.map(([status, text]) =>
      make("button", { type: "button", click: () => this.put({ status }) }, text)));
    if (held) this.buttons.firstChild.focus({ preventScroll: true });
  }

  put(changes) {
    return this.attempt("PUT", `/incidents/${this.id}`, edit(changes));
  }

  /** Do it as whoever acts; a refusal is shown here, and true says that there was none. */
  async attempt(method, path, body) {
    if (this.element.ariaBusy) return false; // the same click twice
    this.element.setAttribute("aria-busy", "true");
    try {
      await act(this.page.who, method, path, body);
      tell(this.error, "");
      return true;
    } catch (error) {
      tell(this.error, error.message);
      return false;
    } finally {
      this.element.removeAttribute("aria-busy");
      await this.page.lookAgain();
    }
  }

  open() {
    this.card = new Card(this);
    this.element.append(this.card.element);
    this.title.setAttribute("aria-expanded", "true");
    this.element.classList.add("chosen");
  }

  close() {
    this.card.element.remove();
    this.card = null;
    this.title.setAttribute("aria-expanded", "false");
    this.element.classList.remove("chosen");
    tell(this.error, "");
  }
}
