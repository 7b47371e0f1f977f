// The page: looks every second, keeps the list in step with what it sees, and knows who acts.

import { act, look, reference } from "./calls.js";
import { move, offer, say, tell } from "./dom.js";
import { Row } from "./row.js";

const EVERY_MS = 1000;
const at = (id) => document.getElementById(id);

class Page {
  constructor() {
    this.rows = new Map();
    this.chosen = decodeURIComponent(location.hash.slice(1)) || null;
    this.looks = 0; // a look that was overtaken by a later one shows what is no longer so
    this.names = this.offers = null;
  }

  get who() {
    return at("who").value;
  }

  async run() {
    for (;;) {
      if (!document.hidden) await this.lookAgain();
      await new Promise((wake) => {
        const timer = setTimeout(wake, EVERY_MS);
        document.addEventListener("visibilitychange", () => { clearTimeout(timer); wake(); }, { once: true });
      });
    }
  }

  async lookAgain() {
    const mine = ++this.looks;
    try {
      const seen = await look();
      if (mine === this.looks) this.show(seen);
      await this.rows.get(this.chosen)?.card?.lookCloser(seen.now);
      tell(at("lost"), "");
    } catch (error) {
      tell(at("lost"), `The sandbox does not answer; trying again. (${error.message})`);
    }
  }

  show(seen) {
    this.learn(seen);
    const shown = new Set(seen.incidents.map(({ id }) => id));
    for (const [id, row] of this.rows) {
      if (!shown.has(id)) {
        row.element.remove();
        this.rows.delete(id);
      }
    }
    for (const incident of seen.incidents) {
      const row = this.rows.get(incident.id) ?? this.begin(incident.id);
      row.update(incident, seen.now);
      this.place(row, incident);
    }
    const resolved = seen.incidents.filter(({ status }) => status === "resolved").length;
    head("open", "Open", seen.open, seen.incidents.length - resolved);
    head("resolved", "Resolved", seen.resolved, resolved);
    say(at("counted"), counted(seen));
    this.find();
  }

  /** The names of things by id, and what there is to choose from. */
  learn({ users, services, policies, priorities }) {
    const name = (rows, none) => {
      const names = new Map(rows.map((row) => [row.id, row.name]));
      return (id) => names.get(id) ?? id ?? none;
    };
    const levels = new Map(policies.map((row) => [row.id, row.levels]));
    this.names = {
      user: name(users, "nobody"), service: name(services, "none"), policy: name(policies, "none"),
      priority: name(priorities, "no priority"), levels: (id) => levels.get(id),
    };
    const pairs = (rows) => rows.map((row) => [row.id, row.name]);
    this.offers = { users: pairs(users), services: pairs(services), policies: pairs(policies), priorities: pairs(priorities) };
    const actors = [...this.offers.users, ["pagerduty", "PagerDuty itself"]];
    const before = actors.find(([id]) => id === (this.who || remembered()));
    offer(at("who"), actors, (before ?? actors[1])[0]);
    const draft = at("draft").elements;
    offer(draft.service, this.offers.services, draft.service.value || services[0].id);
    offer(draft.priority, [["", "none"], ...this.offers.priorities], draft.priority.value);
    offer(draft.assignee, [["", "whoever is on call"], ...this.offers.users], draft.assignee.value);
  }

  begin(id) {
    const row = new Row(id, this);
    this.rows.set(id, row);
    if (id === this.chosen) row.open();
    return row;
  }

  /** Newest first in its section. What is where it belongs already stays untouched. */
  place(row, incident) {
    const open = incident.status !== "resolved";
    const end = open ? at("resolved") : null;
    if (row.section === open) return;
    row.section = open;
    row.element.number = incident.number;
    let before = (open ? at("open") : at("resolved")).nextElementSibling;
    while (before !== end && before.number > incident.number) before = before.nextElementSibling;
    move(row.element, at("open").parentElement, before);
  }

  /** Show only the incidents that have all these words somewhere. */
  find() {
    const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { element, id, incident } of this.rows.values()) {
      const text = `${incident.title} #${incident.number} ${id} ${element.rows[0].textContent}`.toLowerCase();
      const hidden = !words.every((word) => text.includes(word));
      if (element.hidden !== hidden) element.hidden = hidden;
    }
  }

  /** Open the card of this incident, or close it. */
  choose(id) {
    this.rows.get(this.chosen)?.close();
    this.chosen = this.chosen === id ? null : id;
    history.replaceState(null, "", this.chosen ? `#${this.chosen}` : location.pathname);
    this.rows.get(this.chosen)?.open();
    return this.lookAgain();
  }

  draft(open) {
    at("draft").hidden = !open;
    at("new").setAttribute("aria-expanded", String(open));
    if (open) at("draft").elements.title.focus();
  }

  async trigger(event) {
    event.preventDefault();
    const form = at("draft"), { title, service, urgency, priority, assignee, details } = form.elements;
    const incident = { type: "incident", title: title.value, urgency: urgency.value, service: reference("service", service.value) };
    if (priority.value) incident.priority = reference("priority", priority.value);
    if (assignee.value) incident.assignments = [{ assignee: reference("user", assignee.value) }];
    if (details.value) incident.body = { type: "incident_body", details: details.value };
    try {
      await act(this.who, "POST", "/incidents", { incident });
      title.value = details.value = "";
      tell(form.querySelector(".error"), "");
      this.draft(false);
      at("new").focus();
    } catch (error) {
      tell(form.querySelector(".error"), error.message);
    }
    await this.lookAgain();
  }
}

/** Say how many there are in this section, and whether all are shown. */
function head(id, name, count, shown) {
  const some = count === shown ? `${count}` : `${count}, the latest ${shown} of them shown`;
  say(at(id).querySelector("th"), count ? `${name} (${some})` : `${name}: none`);
}

function counted({ subscriptions, deliveries_pending, deliveries_made, requests, faults }) {
  const disabled = subscriptions.filter((row) => row.disabled).length;
  const wrong = Object.entries(faults).map(([name, chance]) => `${name} ${chance}`).join(", ");
  const listen = subscriptions.length === 1 ? "1 webhook subscription" : `${subscriptions.length} webhook subscriptions`;
  return [
    disabled ? `${listen}, ${disabled} disabled` : listen,
    `${deliveries_made} deliveries tried, ${deliveries_pending} waiting`,
    `${requests} API calls answered`,
    wrong ? `what goes wrong: ${wrong}` : "nothing goes wrong",
  ].join(" · ");
}

function remembered() {
  try { return localStorage.getItem("who"); } catch { return null; }
}

const page = new Page();
at("who").addEventListener("change", () => { try { localStorage.setItem("who", page.who); } catch { /* then not */ } });
at("find").addEventListener("input", () => page.find());
at("new").addEventListener("click", () => page.draft(at("draft").hidden));
at("draft").addEventListener("submit", (event) => page.trigger(event));
at("draft").elements.cancel.addEventListener("click", () => { page.draft(false); at("new").focus(); });
page.run();
