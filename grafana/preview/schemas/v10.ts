import type { Dashboard, GraphFieldConfig, Panel, RowPanel, TableFieldOptions } from 'grafana-schema-10';

// Grafana 10 does not publish the types of the panels' options.
export interface Checked {
  dashboard: Dashboard;
  panel: Panel;
  row: RowPanel;
  custom: { timeseries: GraphFieldConfig; table: TableFieldOptions };
}
