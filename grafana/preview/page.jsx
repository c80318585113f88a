// Draws one dashboard with Grafana's own components, from what a Prometheus answered: window.dashboard holds both.
import { createTheme, dateTime, getDisplayValueAlignmentFactors, getFieldDisplayValues, ThemeContext } from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, PortalContainer, Table, TimeSeries, VizRepeater } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

import 'uplot/dist/uPlot.min.css';

import { framesOf } from './frames.js';

const { board, answers, from, to, heading, dark } = window.dashboard;
const COLUMNS = 24;
const [ROW, GAP] = [30, 8];
const theme = createTheme({ colors: { mode: dark ? 'dark' : 'light' } });
const interpolate = (text) => text;
const timeRange = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: 'now', to: 'now' } };

function Repeated({ panel, frames, width, height, children, ...more }) {
  const { orientation, reduceOptions } = panel.options;
  const getValues = () =>
    getFieldDisplayValues({
      data: frames,
      fieldConfig: panel.fieldConfig,
      reduceOptions,
      replaceVariables: interpolate,
      theme,
      timeZone: 'utc',
    });
  return (
    <VizRepeater
      getValues={getValues}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={children}
      renderCounter={0}
      source={frames}
      width={width}
      height={height}
      orientation={orientation}
      {...more}
    />
  );
}

function Stat(props) {
  const { colorMode, graphMode, justifyMode, textMode, wideLayout } = props.panel.options;
  return (
    <Repeated {...props} autoGrid itemSpacing={3}>
      {({ value, width, height, count, alignmentFactors }) => (
        <BigValue
          value={value.display}
          count={count}
          colorMode={colorMode}
          graphMode={graphMode}
          justifyMode={justifyMode}
          textMode={textMode}
          disableWideLayout={!wideLayout}
          alignmentFactors={alignmentFactors}
          width={width}
          height={height}
          theme={theme}
        />
      )}
    </Repeated>
  );
}

function Bars(props) {
  const { displayMode, maxVizHeight, minVizHeight, minVizWidth, orientation, showUnfilled, text, valueMode } =
    props.panel.options;
  return (
    <Repeated {...props} itemSpacing={10} {...{ maxVizHeight, minVizHeight, minVizWidth }}>
      {({ value, width, height, alignmentFactors }) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          alignmentFactors={alignmentFactors}
          displayMode={displayMode}
          orientation={orientation}
          showUnfilled={showUnfilled}
          text={text}
          valueDisplayMode={valueMode}
          width={width}
          height={height}
          theme={theme}
          itemSpacing={10}
          lcdCellWidth={12}
        />
      )}
    </Repeated>
  );
}

const Lines = ({ panel, frames, width, height }) => (
  <TimeSeries
    frames={frames}
    timeRange={timeRange}
    timeZone="utc"
    legend={panel.options.legend}
    options={panel.options}
    width={width}
    height={height}
  />
);

const List = ({ panel, frames, width, height }) => (
  <Table
    data={frames[0]}
    width={width}
    height={height}
    cellHeight={panel.options.cellHeight}
    initialSortBy={panel.options.sortBy}
    fieldConfig={panel.fieldConfig}
    timeRange={timeRange}
  />
);

// What Grafana says in place of lines or rows when there are none.
const Nothing = ({ panel, width, height }) => (
  <div style={{ width, height, display: 'flex', alignItems: 'center', justifyContent: 'center' }}>
    {panel.fieldConfig.defaults.noValue ?? 'No data'}
  </div>
);

const KINDS = { bargauge: Bars, stat: Stat, table: List, timeseries: Lines };

function Panel({ panel, frames, width, height }) {
  const empty = ['table', 'timeseries'].includes(panel.type) && !frames.some((frame) => frame.length);
  const Kind = empty ? Nothing : KINDS[panel.type];
  const padding = panel.type === 'table' ? 'none' : 'md';
  return (
    <PanelChrome title={panel.title} description={panel.description} width={width} height={height} padding={padding}>
      {(innerWidth, innerHeight) => <Kind panel={panel} frames={frames} width={innerWidth} height={innerHeight} />}
    </PanelChrome>
  );
}

function Dashboard({ frames }) {
  const column = (window.innerWidth - GAP) / COLUMNS;
  const left = Object.entries(heading).map(([name, value]) => (
    <span key={name} style={{ marginRight: 24 }}>
      <span style={{ color: theme.colors.text.secondary }}>{name}</span> {value}
    </span>
  ));
  return (
    <div style={{ background: theme.colors.background.canvas, minHeight: '100vh', position: 'relative' }}>
      <div style={{ padding: '16px 16px 0' }}>
        <div style={{ ...theme.typography.h3, margin: 0 }}>{board.title}</div>
        <div style={{ marginTop: 6 }}>{left}</div>
      </div>
      <div style={{ position: 'relative', marginTop: 12 }}>
        {board.panels.map((panel) => {
          const { x, y, w, h } = panel.gridPos;
          const [width, height] = [w * column - GAP, h * ROW + (h - 1) * GAP];
          const style = { position: 'absolute', left: GAP + x * column, top: y * (ROW + GAP), width, height };
          return (
            <div key={panel.id} style={style}>
              {panel.type === 'row' ? (
                <div style={{ ...theme.typography.h5, paddingTop: 6 }}>{panel.title}</div>
              ) : (
                <Panel panel={panel} frames={frames[panel.id]} width={width} height={height} />
              )}
            </div>
          );
        })}
      </div>
      <PortalContainer />
    </div>
  );
}

const drawn = board.panels.filter((panel) => panel.type !== 'row');
const pairs = await Promise.all(
  drawn.map(async (panel) => [panel.id, await framesOf(panel, answers[panel.id], theme, interpolate)])
);
createRoot(document.getElementById('page')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <Dashboard frames={Object.fromEntries(pairs)} />
  </ThemeContext.Provider>
);
