// Checks dashboards against JSON schemas made of Grafana's own types, of its versions 10 to 13:
//   node check.mjs dashboard.json...
// Says each problem in a line; the exit status is 1 when there are any.
import { readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';

import { Ajv } from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

const here = (name) => new URL(name, import.meta.url).pathname;

function checkedTypes(file) {
  const schema = createGenerator({
    path: here(`schemas/${file}`),
    tsconfig: here('tsconfig.json'),
    type: 'Checked',
    expose: 'none',
    skipTypeCheck: true,
  }).createSchema('Checked');
  const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strict: false });
  ajv.addSchema(schema, 'checked');
  return (...path) => ajv.getSchema(`checked#/${['definitions', 'Checked', ...path].join('/')}`);
}

function* problems(type, board) {
  const told = (where, path, value) => {
    const validate = type(...path);
    return !validate || validate(value) ? [] : validate.errors.map((one) => `${where}${one.instancePath} ${said(one)}`);
  };
  yield* told('', ['properties', 'dashboard'], { ...board, panels: [] });
  for (const panel of board.panels) {
    yield* told(panel.title, ['properties', panel.type === 'row' ? 'row' : 'panel'], panel);
    if (panel.type !== 'row') {
      yield* told(`${panel.title}: options`, ['properties', 'options', 'properties', panel.type], panel.options);
      for (const custom of customs(panel.fieldConfig)) {
        yield* told(`${panel.title}: custom`, ['properties', 'custom', 'properties', panel.type], custom);
      }
    }
  }
}

const said = (error) => `${error.message} ${JSON.stringify(error.params)}`;

// What a kind of panel knows of a field beyond what all do: of every field, and of those that are overridden.
function customs({ defaults, overrides }) {
  const own = overrides.map((one) => one.properties.filter(({ id }) => id.startsWith('custom.')));
  const changes = own.map((list) => Object.fromEntries(list.map(({ id, value }) => [id.slice('custom.'.length), value])));
  return [{}, ...changes].map((change) => ({ ...defaults.custom, ...change }));
}

// In JSON, where the lowest threshold begins is null: JSON has no way to write the -Infinity of Grafana's types.
const read = (path) =>
  JSON.parse(readFileSync(path, 'utf8'), (name, value) => (name === 'value' && value === null ? -Number.MAX_VALUE : value));

let found = 0;
for (const file of readdirSync(here('schemas')).sort()) {
  const type = checkedTypes(file);
  for (const path of process.argv.slice(2)) {
    for (const problem of problems(type, read(path))) {
      console.log(`Grafana ${basename(file, '.ts')}, ${basename(path)}: ${problem}`);
      found += 1;
    }
  }
}
process.exitCode = found ? 1 : 0;
