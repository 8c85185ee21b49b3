package cmk

import (
	"fmt"
	"regexp"
	"strings"
)

// KeyReference is how a request names a KMS key: by ARN, by id, or by alias.
type KeyReference struct {
	// Text is the reference as it was given.
	Text string
	// Region and Account are known when an ARN was given.
	Region  Region
	Account string
	// Alias is true of an alias name or alias ARN: it is resolved once, and never sent to Atlas.
	Alias bool
}

var (
	keyARNForm = regexp.MustCompile(`^arn:(aws|aws-us-gov|aws-cn):kms:([a-z0-9-]+):([0-9]{12}):(key/([0-9a-f-]{36}|mrk-[0-9a-f]{32})|alias/[a-zA-Z0-9/_-]+)$`)
	keyIDForm  = regexp.MustCompile(`^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$`)
	aliasForm  = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]+$`)
)

// ParseKey reads a reference to a key.
func ParseKey(s string) (KeyReference, error) {
	if m := keyARNForm.FindStringSubmatch(s); m != nil {
		region, _ := ParseRegion(m[2])
		return KeyReference{Text: s, Region: region, Account: m[3], Alias: strings.HasPrefix(m[4], "alias/")}, nil
	}
	if keyIDForm.MatchString(s) {
		return KeyReference{Text: s}, nil
	}
	if aliasForm.MatchString(s) {
		return KeyReference{Text: s, Alias: true}, nil
	}
	return KeyReference{}, fmt.Errorf("give a key ARN (arn:aws:kms:REGION:ACCOUNT:key/ID), a key id, or an alias (alias/NAME)")
}

// keyRegion is a key's region in Atlas's spelling: the one that is given, or where there is none that of the key's ARN.
func keyRegion(key, given string) string {
	if k, err := ParseKey(key); err == nil && given == "" {
		given = string(k.Region)
	}
	if region, ok := ParseRegion(given); ok {
		return string(region)
	}
	return given
}

// validateKey judges a key, if one is named, and its region.
func validateKey(p *problems, key, region string) {
	if key != "" {
		if k, err := ParseKey(key); err != nil {
			p.add("key", key, "%s", err)
		} else if k.Region != "" && string(k.Region) != region {
			p.add("keyRegion", region, "is not the region of the key's ARN, %s: leave it out, or name the replica there", k.Region)
		}
	}
	if region == "" {
		p.add("keyRegion", "", "is missing: a key given by id or alias needs the region to look it up in")
	} else if _, ok := ParseRegion(region); !ok {
		p.add("keyRegion", region, "give an AWS region, such as US_EAST_1 or us-east-1")
	}
}
