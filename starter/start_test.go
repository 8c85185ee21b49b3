package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/cmk/client"
)

const accessKey = "AKIAIOSFODNN7EXAMPLE"

// Every field of a request must have a flag, but for those that are not to be given by hand.
func TestEveryFieldOfARequestHasAFlag(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request any
		fields  []field
	}{
		"enable":           {&cmk.EnableRequest{}, enableFields()},
		"migrate":          {&cmk.MigrateRequest{}, migrateFields()},
		"rotate":           {&cmk.RotateRequest{}, rotateFields()},
		"watch":            {&cmk.WatchRequest{}, append(watchFields(), projectField())},
		"watch --org":      {&cmk.OrganizationRequest{}, append(watchFields(), organizationFields()...)},
		"retire":           {&cmk.RetireRequest{}, retireFields()},
		"disable":          {&cmk.DisableRequest{}, disableFields()},
		"endpoints remove": {&cmk.RemoveRequest{}, removeFields()},
		"endpoints add":    {&cmk.AddRequest{}, addingFields()},
		"encrypt":          {&cmk.EncryptRequest{}, encryptFields()},
		"networking off":   {&cmk.NetworkingRequest{}, networkingFields()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fill(reflect.ValueOf(test.request).Elem())
			text, err := json.Marshal(test.request)
			require.NoError(t, err)
			var document map[string]any
			require.NoError(t, json.Unmarshal(text, &document))
			delete(document, fieldDryRun) // the command's own
			var paths []string
			for _, f := range test.fields {
				paths = append(paths, f.path)
			}
			require.ElementsMatch(t, leaves("", document), paths)
		})
	}
}

// fill gives every field a value. What a pointer leads to is not to be given by hand.
func fill(v reflect.Value) {
	if _, ok := v.Interface().(time.Time); ok {
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	default:
	}
}

func leaves(prefix string, document map[string]any) []string {
	var out []string
	for name, value := range document {
		if inner, ok := value.(map[string]any); ok {
			out = append(out, leaves(prefix+name+".", inner)...)
			continue
		}
		out = append(out, prefix+name)
	}
	return out
}

func TestOtherChangesAreStartedToo(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"migrate --project-id " + project + " --role-name keys --retire-none --settle 1h": {
			`"name":"keys"`, `"none":true`, `"settle":"1h0m0s"`,
		},
		"retire --access-key-id " + accessKey + " --project-ids " + project + " --switched-at 2026-01-31T12:00:00Z --approvers 2": {
			`"projectIds":["` + project + `"]`, `"switchedAt":"2026-01-31T12:00:00Z"`, `"approvers":2`,
		},
		"disable --project-id " + project + " --order keepPrivatePath --on-failure restore --deadline-window 30m": {
			`"order":"keepPrivatePath"`, `"onFailure":"restore"`, `"window":"30m0s"`,
		},
		"endpoints remove --project-id " + project + " --endpoints eu-west-1,6650aa01bb02cc03dd04ee05": {
			`"endpoints":["6650aa01bb02cc03dd04ee05","EU_WEST_1"]`,
		},
		"endpoints remove --project-id " + project + " --endpoints all": {`"endpoints":"all"`},
		"networking off --project-id " + project + " --requester dana":  {`"requester":"dana"`},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			f := &fake{workers: 1}
			got := startWith(t, f, "", append(strings.Fields(line), "--workflow-id", "mine")...)
			require.Equal(t, exitDone, got.code, got.errors)
			request, err := json.Marshal(f.other)
			require.NoError(t, err)
			for _, part := range want {
				require.Contains(t, string(request), part)
			}
			require.Equal(t, client.StartOptions{WorkflowID: "mine"}, f.options)
			require.Contains(t, got.out, "workflow some-id, run run-1")
		})
	}
}

func TestARequestFromAFileIsForEveryChange(t *testing.T) {
	t.Parallel()
	f := &fake{workers: 1}
	got := startWith(t, f, "accessKeyId: "+accessKey+"\nprojectIds: [\""+project+"\"]\nswitchedAt: 2026-01-31T12:00:00Z\n", "retire", "-f", "-")
	require.Equal(t, exitDone, got.code, got.errors)
	require.NotEmpty(t, f.other.(cmk.RetireRequest).Requester, "whoever runs the command asks")
	require.Contains(t, got.out, "started RetireAccess of access key "+accessKey)
}

func TestTheStartSaysWhatIsRetired(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::111122223333:role/atlas-cmk"
	got := startWith(t, &fake{workers: 1}, "", "retire", "--role-arn", role, "--project-ids", project, "--switched-at", "2026-01-31T12:00:00Z")
	require.Equal(t, exitDone, got.code, got.errors)
	require.Contains(t, got.out, "started RetireAccess of IAM role "+role+": workflow")
}

func TestADryRunIsAPlan(t *testing.T) {
	t.Parallel()
	f := &fake{report: new(cmk.Report), workers: 1}
	*f.report = planned()
	got := startWith(t, f, "", "disable", "--project-id", project, "--dry-run")
	require.Equal(t, exitRefused, got.code, "a plan with an error would be refused")
	require.True(t, f.other.(cmk.DisableRequest).DryRun)
	require.Contains(t, got.out, "Plan 1f2e for project "+project)
}
