#!/usr/bin/env bash
# A thin front of `isshoni deploy`, in its terms and with its exit codes.
set -euo pipefail

usage() {
  cat <<'HELP'
Deploy a version to an environment: twelve steps, five phases, back by itself if it is bad.

  deploy.sh --environment ENVIRONMENT [--version VERSION] [OPTION of `isshoni deploy` …]

  --environment  local, staging, production, or another one that isshoni.toml names
  --version      what to deploy; on AWS the tag of an image. Not given: what `git describe` calls
                 the commit that is checked out

Run it where your isshoni.toml is. Examples:

  deploy.sh --environment staging
  deploy.sh --environment staging --version v1.4 --dry-run
  deploy.sh --environment production --version v1.4 --json

Exit codes: 0 promoted, 5 rolled back, 6 another rollout holds the environment, 7 refused,
8 stuck; `isshoni deploy --help` says more.
HELP
}

refuse() {
  echo "deploy.sh: $1 (deploy.sh --help)" >&2
  exit 2
}

environment='' version='' more=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit ;;
    --environment=*) environment=${1#*=} ;;
    --version=*) version=${1#*=} ;;
    --environment | --version)
      [ $# -gt 1 ] || refuse "$1 needs a value"
      declare "${1#--}=$2"
      shift
      ;;
    *) more+=("$1") ;;
  esac
  shift
done
[ -n "$environment" ] || refuse '--environment is missing'

root=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "$version" ]; then
  version=$(git -C "$root" describe --tags --always --dirty)
  [[ $version != *-dirty ]] || refuse "what is checked out has changes: commit them, or name a --version"
fi
isshoni=$root/.venv/bin/isshoni
[ -x "$isshoni" ] || isshoni=isshoni
exec "$isshoni" deploy "$version" --environment "$environment" ${more[@]+"${more[@]}"}
