"use strict";
/* Every operation of openapi.json, each with its fields and a form to try it. */

let schemas = {};

const resolved = (schema = {}) => (schema.$ref ? schemas[schema.$ref.split("/").pop()] : schema);

function typeOf(schema) {
  const own = resolved(schema);
  if (own.anyOf) return own.anyOf.map(typeOf).filter((name) => name !== "null").join(" or ");
  if (own.type === "array") return `list of ${typeOf(own.items)}`;
  return own.properties && own.title ? own.title : own.type || "anything";
}

function limitsOf(schema) {
  const own = resolved(schema), inner = (own.anyOf || []).map(limitsOf).find(Boolean);
  const told = [["minimum", "at least"], ["maximum", "at most"], ["minItems", "at least", "items"], ["maxItems", "at most", "items"], ["maxLength", "at most", "letters"]];
  const limits = told.filter(([key]) => key in own).map(([key, words, unit = ""]) => `${words} ${own[key].toLocaleString("en")} ${unit}`.trim());
  if (own.default !== undefined && own.default !== null) limits.push(`default ${JSON.stringify(own.default)}`);
  return limits.join(", ") || inner || "";
}

function fieldRows(fields) {
  const table = element("table", ""), head = element("tr", "");
  head.append(...["Field", "Type", "", "Meaning"].map((name) => element("th", name, { scope: "col" })));
  table.append(head);
  for (const { name, schema, required } of fields) {
    const row = element("tr", ""), told = schema.description || resolved(schema).description || "";
    row.append(element("td", required ? `${name} *` : name, { class: "name" }), element("td", typeOf(schema)), element("td", limitsOf(schema)), element("td", told));
    table.append(row);
  }
  return table;
}

function fieldsOf(schema) {
  const own = resolved(schema);
  return Object.entries(own.properties || {}).map(([name, field]) => ({ name, schema: field, required: (own.required || []).includes(name) }));
}

function exampleOf(schema) {
  const own = resolved(schema);
  if (own.anyOf) return exampleOf(own.anyOf[0]);
  if (own.examples) return own.examples[0];
  if (own.properties) return Object.fromEntries(fieldsOf(own).filter((field) => field.required).map((field) => [field.name, exampleOf(field.schema)]));
  if (own.type !== "array") return own.default ?? "";
  const inner = resolved((resolved(own.items).anyOf || [own.items])[0]);
  return inner.examples || [exampleOf(own.items)];
}

function operation(path, method, told) {
  const box = element("details", ""), head = element("summary", ""), content = ((told.requestBody || {}).content || {})["application/json"];
  head.append(element("span", method.toUpperCase(), { class: "method" }), element("code", path), element("span", told.summary || "", { class: "hint" }));
  box.append(head);
  const parameters = told.parameters || [], answers = ((told.responses["200"] || {}).content || {})["application/json"];
  if (parameters.length) box.append(fieldRows(parameters));
  if (content) box.append(element("h3", "Body"), fieldRows(fieldsOf(content.schema)), ...nested(content.schema));
  if (answers && fieldsOf(answers.schema).length) box.append(element("h3", "Answer"), fieldRows(fieldsOf(answers.schema)), ...nested(answers.schema));
  box.append(element("h3", "Try it"), trial(path, method, parameters, content));
  return box;
}

/* The objects that the fields are made of, each once. */
function nested(schema, seen = new Set()) {
  const inner = fieldsOf(schema).flatMap((field) => [field.schema, ...(field.schema.anyOf || [])]).flatMap((part) => [part, part.items, ...((part.items || {}).anyOf || [])]);
  return inner.filter((part) => part && part.$ref && resolved(part).properties && !seen.has(part.$ref)).flatMap((part) => {
    seen.add(part.$ref);
    return [element("h4", resolved(part).title), fieldRows(fieldsOf(part)), ...nested(part, seen)];
  });
}

function trial(path, method, parameters, content) {
  const form = element("form", "", { class: "trial" }), answer = element("pre", "", { hidden: "", tabindex: "0", "aria-live": "polite" });
  const inputs = parameters.map((parameter) => {
    const label = element("label", `${parameter.name} `), input = element("input", "", { name: parameter.name });
    input.value = parameter.example ?? resolved(parameter.schema).default ?? "";
    label.append(input);
    form.append(label);
    return { parameter, input };
  });
  const body = content && element("textarea", written(exampleOf(content.schema), 2), { rows: "5", "aria-label": "Body", spellcheck: "false" });
  if (body) form.append(body);
  form.append(element("button", "Send", { type: "submit" }), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams(inputs.filter((one) => one.parameter.in === "query" && one.input.value !== "").map((one) => [one.parameter.name, one.input.value]));
    const filled = inputs.filter((one) => one.parameter.in === "path").reduce((text, one) => text.replace(`{${one.parameter.name}}`, encodeURIComponent(one.input.value)), path);
    await show(answer, send(method.toUpperCase(), String(query) ? `${filled}?${query}` : filled, body ? body.value : undefined));
  });
  return form;
}

async function show(place, asked) {
  place.hidden = false;
  try {
    const answer = await asked, text = await answer.text(), isJson = (answer.headers.get("content-type") || "").includes("json");
    place.textContent = `${answer.status}\n${isJson ? written(parsed(text), 2) : text}`;
  } catch (error) {
    place.textContent = `No answer: ${error.message}`;
  }
}

async function start() {
  try {
    const told = await ask("/openapi.json");
    schemas = told.components.schemas;
    byId("told").textContent = told.info.description;
    const operations = Object.entries(told.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => operation(path, method, one)));
    byId("operations").append(...operations);
    operations[0].open = true;
  } catch (error) {
    byId("trouble").hidden = false;
    byId("trouble").textContent = `The server says: ${error.message}`;
  }
}

start();
