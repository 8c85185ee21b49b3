package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atlas-cmk/atlas-cmk/cmk/schema"
)

// completeFields has the shell complete the flags of a request's fields by what the fields can be.
func completeFields(cmd *cobra.Command, workflow string, fields []field) {
	for _, f := range fields {
		complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return choices(workflow, f.path), cobra.ShellCompDirectiveNoFileComp
		}
		if err := cmd.RegisterFlagCompletionFunc(f.flag, complete); err != nil {
			panic(err) // the flag is defined, once
		}
	}
}

// choices are the words that a field of a request can be, as its published schema has them; none, where it is free.
func choices(workflow, path string) []string {
	text, err := schema.Files.ReadFile(workflow + ".json")
	if err != nil {
		panic(err) // every workflow type has one
	}
	var at form
	if err := json.Unmarshal(text, &at); err != nil {
		panic(fmt.Errorf("the schema of %s: %w", workflow, err)) // it is our own
	}
	for name := range strings.SplitSeq(path, ".") {
		at = at.Properties[name]
	}
	return at.words()
}

// form is as much of a JSON Schema as tells the words that a value can be.
type form struct {
	Properties map[string]form `json:"properties"`
	Enum       []string        `json:"enum"`
	Const      string          `json:"const"`
	Items      *form           `json:"items"`
	OneOf      []form          `json:"oneOf"`
}

func (f form) words() []string {
	words := f.Enum
	if f.Const != "" {
		words = append(words, f.Const)
	}
	if f.Items != nil {
		words = append(words, f.Items.words()...)
	}
	for _, one := range f.OneOf {
		words = append(words, one.words()...)
	}
	return words
}
