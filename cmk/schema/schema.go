// Package schema publishes the contract as JSON Schema (draft 2020-12), for callers in any language: a file for the input
// of each workflow type, one for the payload of each kind of signal, one for the status and one for the report. The files
// are generated from the Go types; `make schema` writes them anew.
//
// The schema of an input is as strict as the worker's decoder and stricter in one thing: what is empty (null, "", 0) is to
// be left out. What it cannot say is left to the decoder: that a duration is at least a second, and how long
// it may be at most, that keyRegion is the
// region of the key's ARN, and that one region is not named in both spellings.
package schema

import "embed"

// Files holds the schemas, named after workflow types (EnableWithPrivateEndpoints.json) and Go types (Status.json).
//
//go:embed *.json
var Files embed.FS
