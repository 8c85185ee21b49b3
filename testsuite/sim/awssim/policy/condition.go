package policy

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Context holds the condition keys of a request, lower-case; a key that the request does not have is absent.
type Context map[string][]string

// Set gives a key its values. A key of no values is present and empty; an empty string is a value.
func (c Context) Set(key string, values ...string) { c[strings.ToLower(key)] = values }

// With is a copy that has more keys.
func (c Context) With(more Context) Context {
	out := maps.Clone(c)
	maps.Copy(out, more)
	return out
}

func (c Context) get(key string) ([]string, bool) {
	v, ok := c[strings.ToLower(key)]
	return v, ok
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand replaces policy variables. One that the request lacks stays as it is, and so matches nothing.
func (c Context) expand(pattern string) string {
	if !strings.Contains(pattern, "${") {
		return pattern
	}
	return variable.ReplaceAllStringFunc(pattern, func(v string) string {
		key := v[2 : len(v)-1]
		if key == "*" || key == "?" || key == "$" {
			return key
		}
		if values, ok := c.get(key); ok && len(values) == 1 {
			return values[0]
		}
		return v
	})
}

type comparison func(given, wanted string) bool

// comparisons are the operators in their positive form; the negated ones are looked up without their "Not".
func compare(operator string) comparison {
	switch operator {
	case "StringEquals":
		return func(g, w string) bool { return g == w }
	case "StringEqualsIgnoreCase":
		return strings.EqualFold
	case "StringLike":
		return func(g, w string) bool { return Like(w, g) }
	case "ArnEquals", "ArnLike":
		return func(g, w string) bool { return likeARN(w, g) }
	case "Bool":
		return strings.EqualFold
	case "BinaryEquals":
		return func(g, w string) bool { return g == w }
	case "IpAddress":
		return inNetwork
	case "NumericEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals":
		return func(g, w string) bool {
			x, err1 := strconv.ParseFloat(g, 64)
			y, err2 := strconv.ParseFloat(w, 64)
			return err1 == nil && err2 == nil && ordered(strings.TrimPrefix(operator, "Numeric"), x-y)
		}
	case "DateEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals":
		return func(g, w string) bool {
			x, ok1 := moment(g)
			y, ok2 := moment(w)
			return ok1 && ok2 && ordered(strings.TrimPrefix(operator, "Date"), float64(x.Sub(y)))
		}
	default:
		return nil
	}
}

func ordered(relation string, difference float64) bool {
	switch relation {
	case "Equals":
		return difference == 0
	case "LessThan":
		return difference < 0
	case "LessThanEquals":
		return difference <= 0
	case "GreaterThan":
		return difference > 0
	default:
		return difference >= 0
	}
}

func moment(s string) (time.Time, bool) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(seconds, 0), true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func inNetwork(given, wanted string) bool {
	address, err := netip.ParseAddr(given)
	if err != nil {
		return false
	}
	if network, err := netip.ParsePrefix(wanted); err == nil {
		return network.Contains(address)
	}
	single, err := netip.ParseAddr(wanted)
	return err == nil && single == address
}

// operator is a condition operator taken apart: ForAnyValue:StringNotLikeIfExists.
type operator struct {
	quantifier string
	compare    comparison
	null       bool
	negated    bool
	ifExists   bool
}

func parseOperator(text string) (operator, bool) {
	var o operator
	if quantifier, rest, found := strings.Cut(text, ":"); found {
		if quantifier != "ForAnyValue" && quantifier != "ForAllValues" {
			return o, false
		}
		o.quantifier, text = quantifier, rest
	}
	if text == "Null" {
		o.null = true
		return o, true
	}
	text, o.ifExists = strings.CutSuffix(text, "IfExists")
	if o.compare = compare(text); o.compare == nil {
		positive := strings.Replace(text, "Not", "", 1)
		o.negated, o.compare = positive != text, compare(positive)
	}
	return o, o.compare != nil
}

func knownOperator(text string) bool {
	_, ok := parseOperator(text)
	return ok
}

func (d Condition) holds(c Context) bool {
	o, ok := parseOperator(d.Operator)
	if !ok {
		return false
	}
	given, present := c.get(d.Key)
	if o.null {
		return slices.Contains(d.Values, strconv.FormatBool(!present || len(given) == 0))
	}
	if !present || len(given) == 0 {
		switch {
		case o.ifExists, o.quantifier == "ForAllValues":
			return true
		case o.quantifier == "ForAnyValue":
			return false
		default:
			return o.negated
		}
	}
	matches := func(g string) bool {
		return anyOf(d.Values, func(w string) bool { return o.compare(g, c.expand(w)) })
	}
	switch o.quantifier {
	case "ForAnyValue":
		return anyOf(given, func(g string) bool { return matches(g) != o.negated })
	case "ForAllValues":
		return !anyOf(given, func(g string) bool { return matches(g) == o.negated })
	default:
		return anyOf(given, matches) != o.negated
	}
}

func (s *Statement) holds(c Context) bool {
	for _, condition := range s.Conditions {
		if !condition.holds(c) {
			return false
		}
	}
	return true
}
