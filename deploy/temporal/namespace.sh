#!/bin/sh
# Creates the namespace and registers the search attributes of atlas-cmk; running it again changes nothing. The server
# is in TEMPORAL_ADDRESS, the namespace in TEMPORAL_NAMESPACE.
set -eu

# A server that has just started, or just learnt of a namespace, needs a moment: try for a minute.
patiently() {
	tries=60
	until "$@"; do
		tries=$((tries - 1))
		if [ "$tries" -eq 0 ]; then
			echo "gave up: $*" >&2
			exit 1
		fi
		sleep 1
	done
}

namespace() {
	temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
		temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d
}

patiently namespace
# A type for each name: the command passes over names that have none.
patiently temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
	--name AtlasProjectId --type Keyword --name CmkPhase --type Keyword --name CmkAwaiting --type Keyword
