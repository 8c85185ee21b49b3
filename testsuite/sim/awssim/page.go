package awssim

import (
	"encoding/base64"
	"sort"
)

// page cuts one page out of items that are sorted by name. A marker is the name of the last item of the page before,
// so that a page stays right when items come and go. ok is false for a marker that is none of ours.
func page[T any](items []T, name func(T) string, marker string, limit int) (out []T, next string, ok bool) {
	from := 0
	if marker != "" {
		last, err := base64.RawURLEncoding.DecodeString(marker)
		if err != nil {
			return nil, "", false
		}
		from = sort.Search(len(items), func(i int) bool { return name(items[i]) > string(last) })
	}
	to := min(from+limit, len(items))
	out = items[from:to]
	if to < len(items) {
		next = base64.RawURLEncoding.EncodeToString([]byte(name(items[to-1])))
	}
	return out, next, true
}
