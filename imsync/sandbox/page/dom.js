// Making and changing elements. Text goes in as text, never as HTML: titles are hostile.

/** An element with these attributes (listeners where they are functions) and children. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Let it say this; what says it already is left alone, so that a selection in it stays. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Give it this attribute, unless it has it. */
export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Show it with this text, or hide it when there is none. */
export function tell(element, text) {
  say(element, text || "");
  if (element.hidden !== !text) element.hidden = !text;
}

/** Fill a choice with [value, text] pairs and choose one, but do not disturb who is choosing. */
export function offer(select, pairs, chosen) {
  const offered = JSON.stringify(pairs);
  if (select.offered !== offered && select !== document.activeElement) {
    select.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
    select.offered = offered;
    select.value = chosen;
  } else if (select.chosen !== chosen) {
    select.value = chosen;
  }
  select.chosen = chosen;
}

/** Put a new value into a field, unless somebody has typed there since the last one. */
export function refill(field, value) {
  const typed = field.filled !== undefined && field.value !== field.filled;
  if (!typed && field.value !== value) field.value = value;
  field.filled = value;
}

/** Move it before another, keeping the focus that may be inside. */
export function move(element, parent, before) {
  const focused = document.activeElement;
  parent.insertBefore(element, before);
  if (element.contains(focused) && focused !== document.activeElement) {
    focused.focus({ preventScroll: true });
  }
}

/** How long ago that was, in a few letters. */
export function ago(at, now) {
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

export function clock(at) {
  return new Date(at).toLocaleString();
}
