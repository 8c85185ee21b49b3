package cmk

import (
	"regexp"
	"strings"
)

// Region is an AWS region in Atlas's spelling: US_EAST_1. Requests accept AWS's spelling too (us-east-1); everything
// after validation has Atlas's.
type Region string

var regionForm = regexp.MustCompile(`^[A-Z]{2}(_GOV)?_[A-Z]+_[0-9]+$`)

// ParseRegion normalises either spelling to Atlas's. ok is false when s has neither form; whether a region of the right
// form exists is for AWS to say.
func ParseRegion(s string) (r Region, ok bool) {
	n := strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(s), "-", "_"))
	return Region(n), regionForm.MatchString(n)
}

// AWS is the region in AWS's spelling: us-east-1.
func (r Region) AWS() string { return strings.ToLower(strings.ReplaceAll(string(r), "_", "-")) }
