package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// field is a flag that stands for a field of a request's JSON.
type field struct {
	flag string
	// path is where the field stands in the JSON, with dots.
	path string
	kind kind
	help string
}

type kind int

const (
	text kind = iota
	number
	truth
	list
	// selection is "all", "none", or a list of names.
	selection
)

// Fields that requests share.

func projectField() field {
	return field{"project-id", "projectId", text, "Atlas project, 24 hexadecimal digits"}
}

func requesterField() field {
	return field{"requester", fieldRequester, text, "who asks for the change, and so cannot approve it"}
}

// addFields defines the flags of a workflow's request.
func addFields(cmd *cobra.Command, workflow string, fields []field) {
	f := cmd.Flags()
	for _, field := range fields {
		switch field.kind {
		case text:
			f.String(field.flag, "", field.help)
		case number:
			f.Int(field.flag, 0, field.help)
		case truth:
			f.Bool(field.flag, false, field.help)
		case list, selection:
			f.StringSlice(field.flag, nil, field.help)
		}
	}
	completeFields(cmd, workflow, fields)
}

// buildRequest is a request as a JSON document: that of the file, if one is given, with the flags laid over it.
func buildRequest(cmd *cobra.Command, fields []field, file string, in io.Reader) (map[string]any, error) {
	request := map[string]any{}
	if file != "" {
		var err error
		if request, err = readRequest(file, in); err != nil {
			return nil, err
		}
	}
	for _, field := range fields {
		if !cmd.Flags().Changed(field.flag) {
			continue
		}
		value, err := flagValue(cmd, field)
		if err != nil {
			return nil, err
		}
		if err := lay(request, field.path, value); err != nil {
			return nil, err
		}
	}
	return request, nil
}

func flagValue(cmd *cobra.Command, f field) (any, error) {
	switch f.kind {
	case number:
		return cmd.Flags().GetInt(f.flag)
	case truth:
		return cmd.Flags().GetBool(f.flag)
	case list:
		return cmd.Flags().GetStringSlice(f.flag)
	case selection:
		names, err := cmd.Flags().GetStringSlice(f.flag)
		if len(names) == 1 && (names[0] == "all" || names[0] == "none") {
			return names[0], err
		}
		return names, err
	default:
		return cmd.Flags().GetString(f.flag)
	}
}

// lay puts a value into a document, making the objects on the way to it.
func lay(document map[string]any, path string, value any) error {
	object, rest, nested := strings.Cut(path, ".")
	if !nested {
		document[path] = value
		return nil
	}
	inner, ok := document[object].(map[string]any)
	if !ok {
		if document[object] != nil {
			return &cmk.InvalidRequestError{Problems: []cmk.Problem{{Field: object, Remedy: "give an object"}}}
		}
		inner = map[string]any{}
		document[object] = inner
	}
	return lay(inner, rest, value)
}

// readRequest reads a request from a file, or with "-" from in, as JSON or YAML.
func readRequest(file string, in io.Reader) (map[string]any, error) {
	var data []byte
	var err error
	if file == "-" {
		data, err = io.ReadAll(in)
	} else {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, &misuseError{fmt.Errorf("read the request: %w", err)}
	}
	request := map[string]any{}
	if isJSON(data) {
		// Numbers are kept as they are written.
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err = d.Decode(&request); err == nil && d.More() {
			err = fmt.Errorf("more than one JSON value")
		}
	} else {
		err = yaml.Unmarshal(data, &request)
	}
	if err != nil {
		return nil, &misuseError{fmt.Errorf("%s holds no request: %s", name(file), oneLine(err))}
	}
	if len(request) == 0 {
		return nil, &misuseError{fmt.Errorf("%s holds no request: it is empty", name(file))}
	}
	return request, nil
}

func isJSON(data []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) }

func name(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}
