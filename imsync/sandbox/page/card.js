// What opens below an incident: everything that can be done to it, its notes, and its log.

import { act, reference } from "./calls.js";
import { ago, clock, make, offer, refill, say, tell } from "./dom.js";

const SNOOZES = [["", "for …"], ["60", "a minute"], ["900", "15 minutes"], ["3600", "an hour"], ["86400", "a day"]];

export class Card {
  constructor(row) {
    this.row = row;
    this.title = make("input", { name: "title", autocomplete: "off", "aria-label": "Title" });
    this.urgency = this.choice((urgency) => row.put({ urgency }));
    this.priority = this.choice((id) => row.put({ priority: id ? reference("priority", id) : null }));
    this.assignee = this.choice((id) => row.put({ assignments: [{ assignee: reference("user", id) }] }));
    this.policy = this.choice((id) => row.put({ escalation_policy: reference("escalation_policy", id) }));
    this.service = this.choice((id) => row.put({ service: reference("service", id) }));
    this.snooze = this.choice((s) => this.attempt("POST", "/snooze", { duration: Number(s) }));
    this.into = make("input", { inputmode: "numeric", placeholder: "#", "aria-label": "Merge into the incident of this number" });
    this.level = make("span");
    this.facts = make("p", { class: "facts" });
    this.details = make("p", { class: "details", hidden: true });
    this.note = make("textarea", { rows: "3", "aria-label": "Note" });
    this.save = make("button", {}, "Add note");
    this.edited = null;
    this.notes = make("ul", { class: "notes" });
    this.log = make("ul", { class: "log" });
    const escalate = () => row.put({ escalation_level: row.incident.level + 1 });
    this.element = make("tr", { class: "card" }, make("td", { colspan: "7" }, make("div", { class: "columns" },
      make("section", { class: "fields" },
        make("form", { class: "wide line", submit: (event) => this.retitle(event) },
          make("label", {}, "Title ", this.title), make("button", {}, "Save")),
        make("label", {}, "Urgency ", this.urgency),
        make("label", {}, "Priority ", this.priority),
        make("label", {}, "Assigned to ", this.assignee),
        make("label", {}, "Escalation policy ", this.policy),
        make("label", {}, "Service ", this.service),
        make("div", { class: "line" }, this.level, make("button", { type: "button", click: escalate }, "Escalate")),
        make("label", {}, "Snooze ", this.snooze),
        make("form", { class: "line", submit: (event) => this.merge(event) },
          make("label", {}, "Merge into ", this.into), make("button", {}, "Merge")),
        this.details, this.facts),
      make("section", {},
        make("h2", {}, "Notes"),
        make("form", { submit: (event) => this.annotate(event) }, this.note,
          make("p", { class: "buttons" }, this.save, " ",
            make("button", { type: "button", click: () => this.resolve() }, "Resolve with this note"))),
        this.notes),
      make("section", {}, make("h2", {}, "Log"), this.log))));
  }

  choice(chosen) {
    const select = make("select", {
      change: async () => {
        if (!(await chosen(select.value))) select.value = select.chosen;
      },
    });
    return select;
  }

  attempt(method, path, body) {
    return this.row.attempt(method, `/incidents/${this.row.id}${path}`, body);
  }

  update(incident) {
    const { names, offers } = this.row.page;
    const several = incident.assignees.length === 1 ? [] : [["", incident.assignees.map(names.user).join(", ") || "nobody"]];
    refill(this.title, incident.title);
    offer(this.urgency, [["high", "High"], ["low", "Low"]], incident.urgency);
    offer(this.priority, [["", "none"], ...offers.priorities], incident.priority ?? "");
    offer(this.assignee, [...several, ...offers.users], several.length ? "" : incident.assignees[0]);
    offer(this.policy, offers.policies, incident.policy);
    offer(this.service, offers.services, incident.service);
    offer(this.snooze, SNOOZES, "");
    say(this.level, `Level ${incident.level} of ${names.levels(incident.policy)}`);
    const facts = [`Created ${clock(incident.created_at)}`];
    if (incident.acknowledgers.length) facts.push(`acknowledged by ${incident.acknowledgers.map(names.user).join(", ")}`);
    if (incident.snoozed_until) facts.push(`triggered again at ${clock(incident.snoozed_until)}`);
    if (incident.merged_into) facts.push(`merged into #${incident.merged_into}`);
    say(this.facts, `${facts.join("; ")}.`);
    tell(this.details, incident.details);
  }

  /** Notes and log, which the list has not. */
  async lookCloser(now) {
    const path = `/incidents/${this.row.id}`;
    const [{ notes }, { log_entries }] = await Promise.all([
      act("pagerduty", "GET", `${path}/notes`),
      act("pagerduty", "GET", `${path}/log_entries?limit=50`),
    ]);
    this.list(this.notes, notes, now, (note) => [
      make("small", {}, `${note.user.summary}, `, aged(note.created_at), note.updated_at === note.created_at ? "" : ", edited"),
      make("span", { class: "buttons" },
        make("button", { type: "button", class: "small", click: () => this.takeUp(note) }, "Edit"),
        make("button", { type: "button", class: "small", click: () => this.attempt("DELETE", `/notes/${note.id}`) }, "Delete")),
      make("p", {}, note.content)]);
    this.list(this.log, log_entries, now, (entry) => [
      make("small", {}, aged(entry.created_at)), " ", entry.summary, " ",
      make("span", { class: "change" }, told(entry, this.row.page.names))]);
  }

  /** Anew only when there is something new; else only the ages are brought up to date. */
  list(list, items, now, show) {
    const shown = JSON.stringify(items);
    if (list.shown !== shown) {
      list.shown = shown;
      list.replaceChildren(...items.map((item) => make("li", {}, ...show(item))));
    }
    for (const time of list.querySelectorAll("time")) say(time, ago(Date.parse(time.dateTime), now));
  }

  async retitle(event) {
    event.preventDefault();
    await this.row.put({ title: this.title.value });
  }

  async merge(event) {
    event.preventDefault();
    const into = this.into.value.replace(/^#/, "").trim();
    const sources = { source_incidents: [reference("incident", this.row.id)] };
    if (await this.row.attempt("PUT", `/incidents/${encodeURIComponent(into) || "none"}/merge`, sources)) this.into.value = "";
  }

  async annotate(event) {
    event.preventDefault();
    const body = { note: { content: this.note.value } };
    const done = this.edited
      ? await this.attempt("PUT", `/notes/${this.edited}`, body)
      : await this.attempt("POST", "/notes", body);
    if (done) this.takeUp(null);
  }

  async resolve() {
    const resolution = this.note.value.trim();
    if (await this.row.put({ status: "resolved", ...(resolution && { resolution }) })) this.takeUp(null);
  }

  /** Edit this note; null for a new one. */
  takeUp(note) {
    this.edited = note?.id ?? null;
    this.note.value = note?.content ?? "";
    say(this.save, note ? "Save note" : "Add note");
    if (note) this.note.focus();
  }
}

function aged(text) {
  return make("time", { datetime: text, title: clock(Date.parse(text)) });
}

/** From what to what, for an entry that tells it. */
function told(entry, names) {
  const fields = entry.channel?.changeset?.application_fields ?? [];
  return fields.map(({ name, old_value, value }) => {
    const read = names[name] ?? ((found) => found ?? "none");
    return `${read(old_value)} → ${read(value)}`;
  }).join(", ");
}
