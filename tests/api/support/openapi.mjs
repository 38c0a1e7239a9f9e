// SPDX-License-Identifier: MIT
// Holds answers against the OpenAPI document that the controller serves.

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

function typeOf(value) {
  if (value === null) {
    return 'null';
  }
  if (Array.isArray(value)) {
    return 'array';
  }
  return Number.isInteger(value) ? 'integer' : typeof value;
}

export class OpenApi {
  constructor(doc) {
    this.doc = doc;
    this.seen = new Set();
    this.routes = Object.entries(doc.paths).map(([path, item]) => {
      const segments = path.split('/').map((part) => part.replace(/[.]/g, '\\.').replace(/\{[a-z_]+\}/, '[^/]+'));
      return { path, item, pattern: new RegExp(`^${segments.join('/')}/?$`), fixed: !path.includes('{') };
    });
  }

  // The operation that a request is: {name, operation}, or undefined when the document has none.
  find(method, target) {
    const path = target.split('?')[0];
    const fits = this.routes.filter(({ pattern, item }) => pattern.test(path) && item[method.toLowerCase()]);
    const route = fits.find(({ fixed }) => fixed) || fits[0];
    return route && { name: `${method} ${route.path}`, operation: route.item[method.toLowerCase()] };
  }

  resolve(schema) {
    return schema.$ref ? this.doc.components.schemas[schema.$ref.split('/').pop()] : schema;
  }

  // What is wrong with a value, as texts.
  faults(given, value, at = 'body') {
    const schema = this.resolve(given);
    if (!schema) {
      return [`${at}: ${given.$ref} is not in the document`];
    }
    if (schema.anyOf) {
      const tries = schema.anyOf.map((one) => this.faults(one, value, at));
      return tries.some((list) => list.length === 0) ? [] : tries.flat();
    }
    const types = schema.type === undefined ? undefined : [schema.type].flat();
    if (types && !types.includes(typeOf(value))) {
      return [`${at}: ${typeOf(value)}, wanted ${types.join(' or ')}`];
    }
    if (typeOf(value) === 'array') {
      return schema.items ? value.flatMap((one, i) => this.faults(schema.items, one, `${at}[${i}]`)) : [];
    }
    return typeOf(value) === 'object' ? this.objectFaults(schema, value, at) : [];
  }

  objectFaults(schema, value, at) {
    const { properties = {}, required = [], additionalProperties: others } = schema;
    const missing = required.filter((name) => !(name in value)).map((name) => `${at}: no '${name}'`);
    const wrong = Object.entries(value).flatMap(([name, one]) => {
      if (properties[name]) {
        return this.faults(properties[name], one, `${at}.${name}`);
      }
      return others === false ? [`${at}: '${name}' is not documented`] : typeof others === 'object' ? this.faults(others, one, `${at}.${name}`) : [];
    });
    return [...missing, ...wrong];
  }

  // Throws when the answer is not as documented. Requests that the document does not have must be refused.
  check(method, target, answer) {
    if (!METHODS.includes(method.toLowerCase())) {
      return;
    }
    const found = this.find(method, target);
    if (!found) {
      if (answer.status < 400) {
        throw new Error(`${answer}: not documented`);
      }
      return;
    }
    const response = found.operation.responses[answer.status] || (answer.status >= 400 ? found.operation.responses.default : undefined);
    if (!response) {
      throw new Error(`${answer}: ${found.name} has no answer ${answer.status}`);
    }
    this.seen.add(`${found.name} ${answer.status}`);
    const faults = this.contentFaults(response, answer);
    if (faults.length > 0) {
      throw new Error(`${answer}: not as documented: ${faults.join('; ')}`);
    }
  }

  contentFaults(response, answer) {
    const content = response.content || {};
    if (answer.bytes.length === 0) {
      return Object.keys(content).length === 0 ? [] : ['no body'];
    }
    const type = (answer.type || '').split(';')[0];
    if (!content[type]) {
      return [`type ${type}`];
    }
    return this.faults(content[type].schema, type === 'application/json' ? answer.json : answer.text);
  }
}
