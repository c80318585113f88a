#!/bin/sh
# Gives every alert about a tenant some of your labels of that tenant, so that Alertmanager can route by them:
#   add-labels.sh entra-mfa-alerts.yml owner tier
# A tenant that lacks the label has "none". While no exporter lists the tenant, the alert keeps its labels for a day.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 FILE LABEL ..." >&2; exit 2; }
file=$1
shift
for key; do
  info="entra_tenant_info{tenant=%q,label_$key!=\\\\\"\\\\\"}"
  query="printf \"$info or on (tenant) last_over_time(${info}[1d])\" \$labels.tenant \$labels.tenant | query"
  value="{{ \$value := \"none\" }}{{ range $query | sortByLabel \"label_$key\" }}{{ \$value = .Labels.label_$key }}{{ end }}"
  sed -i -E "s#labels: \\{(.*topic: (coverage|polling)\\})#labels: {$key: '$value{{ \$value }}', \\1#" "$file"
done
