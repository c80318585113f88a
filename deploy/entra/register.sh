#!/bin/sh
# Registers the exporter as an application in Microsoft Entra ID, with the permissions that it needs, and gives it
# consent and a credential. Needs the Azure CLI, and `az login --allow-no-subscriptions` in the tenant before, as somebody
# who may consent to application permissions: a Privileged Role Administrator or a Global Administrator.
#
# Run it again as often as you like: what is there already stays. Nothing secret passes through it: of a certificate it
# takes the public half, and with --federated there is no secret at all. The same by hand: docs/permissions.md.
set -eu

usage() {
  cat <<'END'
Usage: register.sh [OPTION]... --certificate FILE.crt | --federated ISSUER SUBJECT | --no-credential

  --certificate FILE.crt      trust this public certificate, PEM; the key stays where it is
  --federated ISSUER SUBJECT  trust tokens of this issuer for this subject, such as a Kubernetes service account:
                              system:serviceaccount:NAMESPACE:NAME
  --no-credential             leave that to you, or to later
  --name NAME                 the application's display name (entra-mfa-exporter)
  --totals                    ask for Reports.Read.All, which reads totals only, instead of AuditLog.Read.All
  --filters                   ask for User.Read.All as well: for populations with a filter, and for reconcile
  --groups                    ask for GroupMember.ReadBasic.All as well: for populations with groups
  --policy                    ask for Policy.Read.AuthenticationMethod as well: for the extra methods_policy
  --multi-tenant              for a provider: one application that customers' tenants can consent to
  --dry-run                   print the commands and run none
END
}

# Microsoft Graph, and its application permissions: the same in every tenant and every cloud.
graph=00000003-0000-0000-c000-000000000000
audit_log=b0afded3-3588-46d8-8b3d-9842eff778da
reports=230c1aed-a721-4c5d-9cb4-a90514e508ef
users=df021288-bdef-4463-88db-98f22de89214
group_members=8222c640-cae5-4860-8d11-b32cfad95e03
methods_policy=8e3bc81b-d2f3-4b7b-838c-32c88218d2f0
report_permission=AuditLog.Read.All=$audit_log
more_permissions=
name=entra-mfa-exporter
audience=AzureADMyOrg
credential=
certificate=
issuer=
subject=
dry_run=

fail() {
  echo "register.sh: $1" >&2
  exit "${2:-1}"
}

need() {
  [ "$2" -gt "$3" ] || fail "$1 is not complete; see --help" 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --certificate) need "$1" $# 1; credential=certificate certificate=$2; shift ;;
    --federated) need "$1" $# 2; credential=federated issuer=$2 subject=$3; shift 2 ;;
    --no-credential) credential=none ;;
    --name) need "$1" $# 1; name=$2; shift ;;
    --totals) report_permission=Reports.Read.All=$reports ;;
    --filters) more_permissions="$more_permissions User.Read.All=$users" ;;
    --groups) more_permissions="$more_permissions GroupMember.ReadBasic.All=$group_members" ;;
    --policy) more_permissions="$more_permissions Policy.Read.AuthenticationMethod=$methods_policy" ;;
    --multi-tenant) audience=AzureADMultipleOrgs ;;
    --dry-run) dry_run=yes ;;
    --help) usage; exit 0 ;;
    *) fail "unknown option $1; see --help" 2 ;;
  esac
  shift
done

[ -n "$credential" ] || fail "say which credential: --certificate, --federated or --no-credential; see --help" 2
if [ "$credential" = certificate ]; then
  grep -q 'BEGIN CERTIFICATE' "$certificate" 2>/dev/null || fail "$certificate is no certificate in PEM" 2
  if grep -q 'PRIVATE KEY' "$certificate"; then
    fail "$certificate holds a private key, which nobody but the exporter should have; give the certificate alone" 2
  fi
fi
case $name$issuer$subject in
  *[\"\\\']*) fail "quotes and backslashes have no place in a name, issuer or subject" 2 ;;
esac
[ -n "$dry_run" ] || command -v az >/dev/null || fail "the Azure CLI is not installed: https://aka.ms/install-azure-cli"

# Runs a command that changes something; a dry run prints it.
change() {
  if [ -n "$dry_run" ]; then
    printf 'az'
    for word in "$@"; do
      case $word in *[!A-Za-z0-9_./:=@-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    echo
  else
    az "$@"
  fi
}

# Asks for something; a dry run takes the first word for the answer.
ask() {
  answer=$1
  shift
  if [ -n "$dry_run" ]; then
    echo "$answer"
  else
    az "$@" --output tsv
  fi
}

say() {
  echo "== $1" >&2
}

tenant=$(ask TENANT-ID account show --query tenantId)
app=$(ask '' ad app list --display-name "$name" --query "[?displayName=='$name'].appId")
[ "$(printf '%s\n' "$app" | grep -c .)" -le 1 ] || fail "there are several applications called $name; choose another --name"

if [ -z "$app" ]; then
  say "Registering $name"
  change ad app create --display-name "$name" --sign-in-audience "$audience" --output none
  app=$(ask APPLICATION-ID ad app list --display-name "$name" --query "[?displayName=='$name'].appId")
  [ -n "$app" ] || fail "$name was created and is not listed yet; wait a minute and run this again"
else
  say "$name is there already"
  change ad app update --id "$app" --sign-in-audience "$audience" --output none
fi

if [ -z "$(ask '' ad sp list --filter "appId eq '$app'" --query '[].appId')" ]; then
  say "Creating its service principal in this tenant"
  change ad sp create --id "$app" --output none
fi

held=$(ask '' ad app permission list --id "$app" --query "[?resourceAppId=='$graph'].resourceAccess[].id")
for wanted in $report_permission $more_permissions; do
  case $held in
    *"${wanted#*=}"*) say "It asks for ${wanted%=*} already" ;;
    *)
      say "Asking for the application permission ${wanted%=*}"
      change ad app permission add --id "$app" --api "$graph" --api-permissions "${wanted#*=}=Role" --output none
      ;;
  esac
done

# A new service principal takes a while to be known everywhere: the consent is tried again until it is.
say "Giving admin consent in this tenant"
tries=6
until change ad app permission admin-consent --id "$app"; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || fail "no consent; is the one who is signed in a Privileged Role Administrator?"
  sleep "${CONSENT_WAIT_SECONDS:-10}"
done

case $credential in
  certificate)
    thumbprint=$(openssl x509 -in "$certificate" -noout -fingerprint -sha1 | sed 's/.*=//; s/://g')
    trusted=$(ask '' ad app credential list --id "$app" --cert --query '[].customKeyIdentifier')
    if printf '%s\n' "$trusted" | grep -qix "$thumbprint"; then
      say "It trusts the certificate $certificate already"
    else
      say "Trusting the certificate $certificate"
      change ad app credential reset --id "$app" --append --cert "@$certificate" --output none
    fi
    ;;
  federated)
    if [ -n "$(ask '' ad app federated-credential list --id "$app" --query "[?subject=='$subject' && issuer=='$issuer'].id")" ]; then
      say "It trusts $subject already"
    else
      say "Trusting $subject of $issuer"
      trust=$(printf '{"name":"entra-mfa-exporter","issuer":"%s","subject":"%s","audiences":["api://AzureADTokenExchange"]}' \
        "$issuer" "$subject")
      change ad app federated-credential create --id "$app" --parameters "$trust" --output none
    fi
    ;;
esac

case $credential in
  certificate) kind="kind: certificate, client_id: $app, certificate_file: /run/secrets/entra.pem" ;;
  federated) kind="kind: workload_identity, client_id: $app" ;;
  none) kind="kind: …, client_id: $app" ;;
esac
cat <<END

# exporter.yml
defaults:
  credential: {$kind}
tenants:
  - tenant_id: $tenant
END
if [ "$audience" = AzureADMultipleOrgs ]; then
  cat <<END

# In each customer's tenant an administrator opens this, and consents; the customer's tenant id then joins the list above.
# https://login.microsoftonline.com/CUSTOMER-TENANT-ID/adminconsent?client_id=$app
END
fi
