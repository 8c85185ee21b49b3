package policy

import "strings"

// Like says whether s matches a pattern in which * stands for any run of characters and ? for any single one.
func Like(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// likeARN compares each of the six parts of an ARN on its own: a wildcard does not reach over a colon, but in the last.
func likeARN(pattern, s string) bool {
	pp, ss := strings.SplitN(pattern, ":", 6), strings.SplitN(s, ":", 6)
	if len(pp) != 6 || len(ss) != 6 {
		return pattern == "*"
	}
	for i := range pp {
		if !Like(pp[i], ss[i]) {
			return false
		}
	}
	return true
}

func likeAction(pattern, action string) bool {
	return Like(strings.ToLower(pattern), strings.ToLower(action))
}

func (s *Statement) matchesAction(action string) bool {
	if s.NotActions != nil {
		return !anyOf(s.NotActions, func(p string) bool { return likeAction(p, action) })
	}
	return anyOf(s.Actions, func(p string) bool { return likeAction(p, action) })
}

// matchesResource is true of a statement without a resource, which only trust policies have: it is about its role.
func (s *Statement) matchesResource(resource string, c Context) bool {
	switch {
	case s.NotResources != nil:
		return !anyOf(s.NotResources, func(p string) bool { return Like(c.expand(p), resource) })
	case s.Resources != nil:
		return anyOf(s.Resources, func(p string) bool { return Like(c.expand(p), resource) })
	default:
		return true
	}
}

func anyOf(values []string, test func(string) bool) bool {
	for _, v := range values {
		if test(v) {
			return true
		}
	}
	return false
}
