package atlassim

import (
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"
)

// deviate changes the description where the live service is known to deviate from it, or where it cannot be meant
// as it is written. This is the whole list; besides it, a body may
// be right either with its null members or without.
func deviate(doc *openapi3.T) {
	schemas := doc.Components.Schemas
	property := func(schema, name string) *openapi3.Schema {
		s := schemas[schema]
		if s == nil || s.Value.Properties[name] == nil {
			return &openapi3.Schema{}
		}
		return s.Value.Properties[name].Value
	}
	// roleId is marked writeOnly, yet the service returns it.
	property("AWSKMSConfiguration", "roleId").WriteOnly = false
	// valid is marked readOnly, yet the service tolerates what it has returned.
	property("AWSKMSConfiguration", "valid").ReadOnly = false
	// The id of a shard is marked readOnly, yet it is how a change tells which shard it means.
	property("ReplicationSpec20240805", "id").ReadOnly = false
	property("ReplicationSpec20240805", "zoneId").ReadOnly = false
	property("ReplicationSpec", "id").ReadOnly = false
	property("ReplicationSpec", "zoneId").ReadOnly = false
	// Versions of 2023 show releases of MongoDB that did not exist when they were described.
	property("AdvancedClusterDescription", "mongoDBMajorVersion").Enum = nil
	// The kind of an endpoint is told by cloudProvider, which is readOnly: nobody can say it in a request.
	if s := schemas["EARPrivateEndpoint"]; s != nil {
		s.Value.Discriminator = nil
	}
	// A project without a maintenance window is shown day 0, which the description begins after.
	property("GroupMaintenanceWindow", "dayOfWeek").Min = nil
	// The parameters of an error are described as objects, yet they are strings and numbers.
	property("ApiError", "parameters").Items = openapi3.NewSchemaRef("", &openapi3.Schema{})

	seen := map[*openapi3.Schema]bool{}
	for _, ref := range schemas {
		untangle(ref, seen)
	}
}

// untangle repairs three habits of the description, in a schema and all below it. A base with oneOf its subtypes, each
// of which is allOf the base again, never ends: within allOf, the base is taken without its subtypes. And oneOf
// without a discriminator is meant as anyOf, since its alternatives (the hardware of three clouds) look alike. And what
// is one of several kinds of string (a region) is called an object.
func untangle(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	for i, base := range s.AllOf {
		if base.Value != nil && len(base.Value.OneOf) > 0 {
			alone := *base.Value
			alone.OneOf, alone.Discriminator = nil, nil
			s.AllOf[i] = openapi3.NewSchemaRef("", &alone)
		}
	}
	if s.Discriminator == nil && len(s.OneOf) > 0 {
		s.AnyOf, s.OneOf = append(s.AnyOf, s.OneOf...), nil
	}
	if s.Type.Is("object") && len(s.AnyOf) > 0 && s.AnyOf[0].Value.Type.Is("string") {
		s.Type = nil
	}
	for _, list := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf, s.AllOf} {
		for _, r := range list {
			untangle(r, seen)
		}
	}
	for _, r := range s.Properties {
		untangle(r, seen)
	}
	untangle(s.Items, seen)
	untangle(s.Not, seen)
	untangle(s.AdditionalProperties.Schema, seen)
}

// toleratedStatus are the statuses that the service answers although an operation's description leaves them out.
func toleratedStatus(operation string, status int) bool {
	switch status {
	case http.StatusGone, http.StatusServiceUnavailable:
		return true // common to all operations
	case http.StatusBadRequest:
		return true // a missing version date, and the refusals of encryption at rest and its endpoints
	case http.StatusConflict:
		return operation == "createGroupEncryptionAtRestPrivateEndpoint" // an assumption's
	}
	return false
}

// toleratedEmpty are the operations that answer an empty object although members are required: no policy exists.
func toleratedEmpty(operation string) bool { return operation == "getGroupBackupCompliancePolicy" }
