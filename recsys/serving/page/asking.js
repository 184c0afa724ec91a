"use strict";
/* What both pages need: asking this very server, with a token where it wants one, and making elements. */

const byId = (id) => document.getElementById(id);
const TOKEN = "recsys-token";

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

async function send(method, path, body) {
  const token = sessionStorage.getItem(TOKEN), headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(path, { method, body, headers });
  if (answer.status === 401 && await isTold(token)) return send(method, path, body);
  return answer;
}

/* Whole numbers that are too large for a double are kept to the digit: ids are such. */
const parsed = (text) => JSON.parse(text, (_, value, context) => {
  const isRounded = Number.isInteger(value) && !Number.isSafeInteger(value);
  return isRounded && context && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
});
const written = (value, space) => JSON.stringify(value, (_, own) => (typeof own === "bigint" ? JSON.rawJSON(String(own)) : own), space);

async function ask(path, body) {
  const answer = await send(body ? "POST" : "GET", path, body && written(body));
  const told = parsed(await answer.text());
  if (!answer.ok) throw new Error(told.detail || `status ${answer.status}`);
  return told;
}

/* Whether somebody gave another token than the one that was refused. One question, however many requests wait for it. */
let question = null;
function isTold(refused) {
  const known = sessionStorage.getItem(TOKEN);
  if (known && known !== refused) return true;
  question = question || askForToken().finally(() => { question = null; });
  return question;
}

function askForToken() {
  const form = element("form", "", { class: "token", role: "dialog", "aria-label": "The server's token" });
  const label = element("label", "This server asks for its token: "), field = element("input", "", { type: "password", id: "token", autocomplete: "off" });
  label.append(field);
  form.append(label, element("button", "Use it", { type: "submit" }));
  document.body.prepend(form);
  field.focus();
  return new Promise((resolve) => form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.remove();
    if (field.value) sessionStorage.setItem(TOKEN, field.value);
    resolve(Boolean(field.value));
  }));
}
