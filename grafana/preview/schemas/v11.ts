import type { Dashboard, GraphFieldConfig, Panel, RowPanel, TableFieldOptions } from 'grafana-schema-11';
import type { Options as BarGauge } from 'grafana-schema-11/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen.d.ts';
import type { Options as Stat } from 'grafana-schema-11/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts';
import type { Options as Table } from 'grafana-schema-11/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts';
import type { Options as TimeSeries } from 'grafana-schema-11/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts';

export interface Checked {
  dashboard: Dashboard;
  panel: Panel;
  row: RowPanel;
  // What an older Grafana did not know is left out, and filled in when it is loaded. What panels share is Grafana 12's.
  options: {
    bargauge: Partial<BarGauge>;
    stat: Partial<Stat>;
    table: Partial<Table>;
    timeseries: Partial<TimeSeries>;
  };
  custom: { timeseries: GraphFieldConfig; table: TableFieldOptions };
}
