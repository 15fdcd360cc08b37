// Elements of the page: every text goes in as text, and never as markup.

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const drawn = document.querySelector("svg").namespaceURI; // the page always has one

function shape(name, attributes = {}, text) {
  const element = document.createElementNS(drawn, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const byId = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function bringIntoView(element, block = "nearest") {
  element.scrollIntoView({ block, inline: "nearest", behavior: calm.matches ? "auto" : "smooth" });
}

function selectOf(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  select.value = options.some(([value]) => value === chosen) ? chosen : options.length ? options[0][0] : "";
}

/** A button that takes something away again. */
function chip(text, onRemove) {
  const button = make("button", { type: "button", class: "chip", "aria-label": `Remove ${text}` }, text, make("span", { "aria-hidden": "true" }, " ×"));
  button.addEventListener("click", onRemove);
  return button;
}
