package awssim

import (
	"maps"
	"slices"
	"strings"
)

type tag struct{ TagKey, TagValue string }

func tags(list []tag) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range list {
		if t.TagKey == "" || len(t.TagKey) > 128 || len(t.TagValue) > 256 || strings.HasPrefix(t.TagKey, "aws:") {
			return nil, refuse("TagException", "The tag key %q or its value is not valid.", t.TagKey)
		}
		if _, twice := out[t.TagKey]; twice {
			return nil, refuse("TagException", "Duplicate tag keys.")
		}
		out[t.TagKey] = t.TagValue
	}
	return out, nil
}

func tagList(tags map[string]string) []tag {
	out := []tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, tag{k, tags[k]})
	}
	return out
}

func (c *call) listResourceTags(in listing) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	some, l, err := pageOf(c, in, 50, 50, tagList(k.tags), func(t tag) string { return t.TagKey })
	if err != nil {
		return nil, err
	}
	return struct {
		Tags []tag
		listed
	}{some, l}, nil
}

func (c *call) tagResource(in struct {
	byKey
	Tags []tag
},
) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	more, err := tags(in.Tags)
	if err != nil {
		return nil, err
	}
	c.changeKey(k, func(k *key) { maps.Copy(k.tags, more) })
	return nil, nil
}

func (c *call) untagResource(in struct {
	byKey
	TagKeys []string
},
) (any, error) {
	k, err := c.open(in.KeyID, byIDOrARN)
	if err != nil {
		return nil, err
	}
	c.changeKey(k, func(k *key) {
		for _, name := range in.TagKeys {
			delete(k.tags, name)
		}
	})
	return nil, nil
}
