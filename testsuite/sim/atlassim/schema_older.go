package atlassim

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// olderModule is the major of the Atlas SDK's module whose description holds the versions of 2023, which the newest one
// leaves out. It is no requirement of ours: they are checked where it is in the module cache, as after
//
//	go mod download go.mongodb.org/atlas-sdk/v20231115014@v20231115014.0.0
const olderModule = "v20231115014@v20231115014.0.0"

// olderVersions are descriptions of older versions, read when one is first asked for.
type olderVersions struct {
	beside     string // the folder of the newest module, and of the older one if it is there
	once       sync.Once
	operations map[string]*openapi3.Operation
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

func versionKey(method, path, date string) string {
	return method + " " + parameter.ReplaceAllString(path, "{}") + " " + date
}

func (o *olderVersions) find(method, path, date string) *openapi3.Operation {
	o.once.Do(o.load)
	return o.operations[versionKey(method, path, date)]
}

func (o *olderVersions) load() {
	o.operations = map[string]*openapi3.Operation{}
	doc, err := loadDescription(filepath.Join(o.beside, olderModule))
	if err != nil {
		return // it is not there
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for _, date := range datesOf(op) {
				o.operations[versionKey(method, path, date)] = op
			}
		}
	}
}

// datesOf are the versions that an operation's description answers in.
func datesOf(op *openapi3.Operation) []string {
	var dates []string
	for status, response := range op.Responses.Map() {
		if !strings.HasPrefix(status, "2") {
			continue
		}
		for mediaType := range response.Value.Content {
			if m := versioned.FindStringSubmatch(mediaType); m != nil && !slices.Contains(dates, m[1]) {
				dates = append(dates, m[1])
			}
		}
	}
	return dates
}
