// From Prometheus's answers to the frames that Grafana's components draw: what Grafana's data source and its panels' host
// do in between, with Grafana's own functions where the packages have them.
import {
  applyFieldOverrides,
  FieldConfigOptionsRegistry,
  FieldType,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';

standardTransformersRegistry.setInit(() =>
  [standardTransformers.mergeTransformer, standardTransformers.sortByTransformer, standardTransformers.organizeFieldsTransformer].map(
    (transformation) => ({ id: transformation.id, name: transformation.name, transformation })
  )
);

const STANDARD = ['color', 'decimals', 'links', 'mappings', 'max', 'min', 'noValue', 'thresholds', 'unit'];
const option = (id, path, isCustom) => ({
  id,
  path,
  isCustom,
  name: id,
  process: (value) => value,
  shouldApply: () => true,
});
// What Grafana adds to what a dashboard says of a kind of panel: its plugins' own defaults.
const PLUGIN_DEFAULTS = {
  timeseries: {
    axisBorderShow: false,
    axisCenteredZero: false,
    axisColorMode: 'text',
    axisLabel: '',
    axisPlacement: 'auto',
    barAlignment: 0,
    barWidthFactor: 0.6,
    gradientMode: 'none',
    hideFrom: { legend: false, tooltip: false, viz: false },
    insertNulls: false,
    lineStyle: { fill: 'solid' },
    pointSize: 5,
    scaleDistribution: { type: 'linear' },
    thresholdsStyle: { mode: 'off' },
  },
};

const number = (text) => (text === 'NaN' ? null : Number(text));
const timeField = (points) => ({
  name: 'Time',
  type: FieldType.time,
  config: {},
  values: points.map(([time]) => time * 1000),
});

function legend(format, labels) {
  const all = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return format === '__auto' ? `{${all.join(', ')}}` : format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? '');
}

function seriesFrames({ target, result }) {
  return result.map(({ metric, value, values }) => {
    const points = values ?? [value];
    const field = {
      name: 'Value',
      type: FieldType.number,
      config: { displayNameFromDS: legend(target.legendFormat, metric) },
      labels: metric,
      values: points.map((point) => number(point[1])),
    };
    return { refId: target.refId, length: points.length, fields: [timeField(points), field] };
  });
}

function tableFrame({ target, result }, several) {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const fields = [
    timeField(result.map(({ value }) => value)),
    ...labels.map((name) => ({
      name,
      type: FieldType.string,
      config: {},
      values: result.map(({ metric }) => metric[name] ?? ''),
    })),
    {
      name: several ? `Value #${target.refId}` : 'Value',
      type: FieldType.number,
      config: {},
      values: result.map(({ value }) => number(value[1])),
    },
  ];
  return { refId: target.refId, length: result.length, fields };
}

// Gives the frames that a panel draws.
export async function framesOf(panel, answers, theme, interpolate) {
  const several = answers.length > 1;
  const frames = answers.flatMap((answer) =>
    answer.target.format === 'table' ? [tableFrame(answer, several)] : seriesFrames(answer)
  );
  const context = { interpolate };
  const data = await new Promise((resolve, reject) => {
    transformDataFrame(panel.transformations ?? [], frames, context).subscribe({ next: resolve, error: reject });
  });
  return applyFieldOverrides({ ...overridesOf(panel), data, theme, replaceVariables: interpolate, timeZone: 'utc' });
}

function overridesOf(panel) {
  const { defaults, overrides } = panel.fieldConfig;
  const custom = { ...PLUGIN_DEFAULTS[panel.type], ...defaults.custom };
  const own = new Set([...Object.keys(custom), 'cellOptions', 'width']);
  const fieldConfigRegistry = new FieldConfigOptionsRegistry(() => [
    ...STANDARD.map((name) => option(name, name, false)),
    ...[...own].map((name) => option(`custom.${name}`, name, true)),
  ]);
  return { fieldConfig: { defaults: { ...defaults, custom }, overrides }, fieldConfigRegistry };
}
