#!/bin/sh
# A chart can hold only files inside its own directory: copies the rules and the dashboards there, from where they are
# kept. Run it after they have changed; a test compares.
set -eu
cd "$(dirname "$0")"
rm -rf entra-mfa-exporter/files
mkdir -p entra-mfa-exporter/files/rules entra-mfa-exporter/files/dashboards
cp ../prometheus/rules/*.yml entra-mfa-exporter/files/rules/
for dashboard in ../../grafana/dashboards/*.json; do
  [ ! -e "$dashboard" ] || cp "$dashboard" entra-mfa-exporter/files/dashboards/
done
