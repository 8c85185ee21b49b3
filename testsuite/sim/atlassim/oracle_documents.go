package atlassim

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

// documents are the policies of AWS by name, with the parts of each that are not a client's.
type documents struct {
	texts   map[string]string
	foreign map[string][]string
	// judged is the number of the last entry of the journal that has been judged; others, how much of what others did.
	judged, others int
}

// policyTexts are all policies of AWS, by a name that holds the ARN of what they belong to.
func policyTexts(s awssim.State) map[string]string {
	texts := map[string]string{}
	for _, k := range s.Keys {
		texts["key policy of "+k.ARN] = k.Policy
	}
	for _, e := range slices.Concat(s.Roles, s.Users) {
		if e.Trust != "" {
			texts["trust policy of "+e.ARN] = e.Trust
		}
		for name, text := range e.Inline {
			texts["inline policy "+name+" of "+e.ARN] = text
		}
	}
	for _, p := range s.Policies {
		texts["managed policy "+p.ARN] = p.Document
	}
	return texts
}

// parts are the statements of a policy and its other members, each as canonical JSON. What is no JSON is one part.
func parts(text string) []string {
	var doc map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &doc) != nil {
		return []string{text}
	}
	var out []string
	for name, member := range doc {
		if name != "Statement" {
			out = append(out, name+" "+canonical(member))
			continue
		}
		var statements []json.RawMessage
		if json.Unmarshal(member, &statements) != nil {
			statements = []json.RawMessage{member}
		}
		for _, s := range statements {
			out = append(out, canonical(s))
		}
	}
	return out
}

func canonical(text json.RawMessage) string {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return string(text)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return string(text)
	}
	return string(out)
}

// adopt takes policies as they are for those of others.
func (d *documents) adopt(texts map[string]string) {
	d.texts, d.foreign = texts, map[string][]string{}
	for name, text := range texts {
		d.foreign[name] = parts(text)
	}
}

// release takes the documents of a role for a client's.
func (d *documents) release(role string) {
	for name := range d.foreign {
		if concerns(name, role) {
			delete(d.foreign, name)
		}
	}
}

// touched are the objects of writes to AWS that have not been judged yet. While a write is under way its entry has no
// status; it is judged until it has one, but not for ever, as the answer may have been dropped.
func (a *Atlas) touched() []string {
	const latest = 16
	d := &a.oracle.documents
	var objects []string
	settled := true
	for _, e := range a.journal.Since(max(d.judged, a.journal.Len()-latest)) {
		if e.System == "aws" && e.Write {
			objects = append(objects, e.Object)
		}
		if settled = settled && e.Status != 0; settled {
			d.judged = e.Seq
		}
	}
	return objects
}

// judgeDocuments finds what clients have done to those parts of policies that are not theirs.
func (a *Atlas) judgeDocuments(touched []string) {
	d := &a.oracle.documents
	if d.texts == nil {
		d.adopt(policyTexts(a.aws.State()))
		return
	}
	othersActed := len(a.oracle.others) > d.others
	d.others = len(a.oracle.others)
	if len(touched) == 0 && !othersActed {
		return
	}
	now := policyTexts(a.aws.State())
	for name, before := range d.texts {
		text, there := now[name]
		if there && text == before {
			continue
		}
		byClient := slices.ContainsFunc(touched, func(object string) bool { return object != "" && concerns(name, object) })
		if !byClient || othersActed {
			continue
		}
		a.judgeDocument(name, text, there)
	}
	if othersActed {
		a.adoptOthers(now)
	}
	d.texts = now
}

// concerns is whether a request about object is about the policy of that name.
func concerns(name, object string) bool {
	return strings.Contains(name, object[strings.LastIndexAny(object, "/")+1:])
}

func (a *Atlas) judgeDocument(name, text string, there bool) {
	foreign := slices.DeleteFunc(slices.Clone(a.oracle.documents.foreign[name]), func(part string) bool { return a.useless(name, part, there) })
	if len(foreign) == 0 {
		return
	}
	if !there {
		a.violate(RuleOthers, nil, "the "+name+", which is not a client's, was removed")
		return
	}
	kept := parts(text)
	for _, part := range foreign {
		if !slices.Contains(kept, part) && !slices.ContainsFunc(kept, func(k string) bool { return a.widens(part, k) }) {
			a.violate(RuleOthers, nil, fmt.Sprintf("the %s has lost what is not a client's: %s", name, part))
		}
	}
}

// useless says whether a part of a policy is of no use to anybody: what an IAM user is allowed in KMS that has no access key,
// and what stands around statements that are gone.
func (a *Atlas) useless(name, part string, there bool) bool {
	if !strings.Contains(name, ":user/") || slices.ContainsFunc(a.aws.State().AccessKeys, func(k awssim.AccessKeyState) bool { return strings.HasSuffix(name, " "+k.User) }) {
		return false
	}
	var s struct {
		Effect string
		Action any
	}
	if json.Unmarshal([]byte(part), &s) != nil {
		return !there
	}
	return s.Effect == "Allow" && s.Action != nil && !slices.ContainsFunc(severally(s.Action), func(action any) bool {
		text, ok := action.(string)
		return !ok || !strings.HasPrefix(strings.ToLower(text), "kms:")
	})
}

// widens says whether one statement is another with more resources. Only that of a project, which has the project's id in
// its Sid, is a client's to widen: an earlier change made it.
func (a *Atlas) widens(part, wide string) bool {
	var before, after map[string]any
	if json.Unmarshal([]byte(part), &before) != nil || json.Unmarshal([]byte(wide), &after) != nil {
		return false
	}
	sid, _ := before["Sid"].(string)
	if !slices.ContainsFunc(a.projects, func(p *project) bool { return strings.Contains(sid, p.id) }) {
		return false
	}
	had, has := severally(before["Resource"]), severally(after["Resource"])
	delete(before, "Resource")
	delete(after, "Resource")
	return reflect.DeepEqual(before, after) && !slices.ContainsFunc(had, func(r any) bool { return !slices.Contains(has, r) })
}

// severally is a member of a statement that may stand without the list around it.
func severally(member any) []any {
	if all, ok := member.([]any); ok {
		return all
	}
	return []any{member}
}

// adoptOthers takes what others have just changed for theirs: parts that were not there before.
func (a *Atlas) adoptOthers(now map[string]string) {
	d := &a.oracle.documents
	for name, text := range now {
		before, present := parts(d.texts[name]), parts(text)
		var foreign []string
		for _, part := range present {
			if slices.Contains(d.foreign[name], part) || !slices.Contains(before, part) {
				foreign = append(foreign, part)
			}
		}
		d.foreign[name] = foreign
	}
}
