package awssim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const (
	contentJSON = "application/x-amz-json-1.1"
	contentXML  = "text/xml"
	iamSpace    = "https://iam.amazonaws.com/doc/2010-05-08/"
	stsSpace    = "https://sts.amazonaws.com/doc/2011-06-15/"
	redacted    = "(redacted)"
)

// answer puts a result or an error into the service's form.
func (c *call) answer(result any, err error) answer {
	r := answer{status: http.StatusOK, contentType: contentXML, requestID: c.requestID}
	refusal := asRefusal(err)
	if refusal != nil {
		r.code, r.status = codeFor(c.service, refusal.Code), statusOf(c.service, refusal.Code)
	}
	if c.service == "kms" {
		r.contentType = contentJSON
		switch {
		case refusal != nil:
			r.body, err = json.Marshal(map[string]string{"__type": r.code, "message": refusal.Message})
		case result != nil:
			r.body, err = json.Marshal(result)
		default:
			err = nil
		}
	} else {
		r.body, err = c.xml(result, refusal, r.code)
	}
	if err != nil {
		panic(err) // what we answer can always be encoded
	}
	return r
}

func asRefusal(err error) *Error {
	if err == nil {
		return nil
	}
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return &Error{Code: "InternalFailure", Message: err.Error()}
}

// codeFor is an error code in the words of a service: those of authentication differ between the two protocols.
func codeFor(service, code string) string {
	if service != "kms" {
		return code
	}
	switch code {
	case codeAccessDenied:
		return codeAccessDeniedKMS
	case codeInvalidToken:
		return "UnrecognizedClientException"
	case codeBadSignature:
		return "InvalidSignatureException"
	case codeExpiredToken, codeMissingToken:
		return code + "Exception"
	case "ServiceUnavailable":
		return "ServiceUnavailableException"
	case "InternalFailure":
		return "KMSInternalException"
	default:
		return code
	}
}

func statusOf(service, code string) int {
	switch code {
	case "InternalFailure", "ServiceFailure":
		return http.StatusInternalServerError
	case "ServiceUnavailable":
		return http.StatusServiceUnavailable
	}
	if service == "kms" {
		return http.StatusBadRequest
	}
	switch code {
	case codeNoSuchEntity:
		return http.StatusNotFound
	case codeExists, codeLimit, "DeleteConflict", "EntityTemporarilyUnmodifiable":
		return http.StatusConflict
	case codeAccessDenied, codeInvalidToken, codeBadSignature, codeExpiredToken, codeMissingToken:
		return http.StatusForbidden
	default:
		return http.StatusBadRequest
	}
}

type xmlError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Space     string   `xml:"xmlns,attr"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func (c *call) xml(result any, refusal *Error, code string) ([]byte, error) {
	space := iamSpace
	if c.service == "sts" {
		space = stsSpace
	}
	if refusal != nil {
		return xml.Marshal(xmlError{Space: space, Type: "Sender", Code: code, Message: refusal.Message, RequestID: c.requestID})
	}
	var out bytes.Buffer
	e := xml.NewEncoder(&out)
	response := xml.StartElement{Name: xml.Name{Local: c.name + "Response"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: space}}}
	metadata := struct {
		RequestID string `xml:"RequestId"`
	}{c.requestID}
	err := e.EncodeToken(response)
	if result != nil {
		err = errors.Join(err, e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: c.name + "Result"}}))
	}
	err = errors.Join(err, e.EncodeElement(metadata, xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}), e.EncodeToken(response.End()), e.Flush())
	return out.Bytes(), err
}

// secretMember says whether a member of a request or an answer must not be kept.
func secretMember(name string) bool {
	switch name {
	case "Plaintext", "CiphertextBlob", "ImportToken", "EncryptedKeyMaterial", "PublicKey", "GrantToken", "GrantTokens",
		"SecretAccessKey", "SessionToken", "CiphertextForRecipient":
		return true
	default:
		return false
	}
}

func redactJSON(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	var members map[string]any
	if json.Unmarshal(body, &members) != nil {
		return "(not a JSON object)"
	}
	for name := range members {
		if secretMember(name) {
			members[name] = redacted
		}
	}
	out, err := json.Marshal(members)
	if err != nil {
		return "(not a JSON object)"
	}
	return string(out)
}

func redactForm(form url.Values) string {
	kept := url.Values{}
	for name, values := range form {
		switch {
		case secretMember(name):
			kept.Set(name, redacted)
		case !strings.HasPrefix(name, "X-Amz-"):
			kept[name] = values
		}
	}
	return kept.Encode()
}

var secretElement = regexp.MustCompile(`<(SecretAccessKey|SessionToken)>[^<]*<`)

func redactXML(body []byte) string {
	return secretElement.ReplaceAllString(string(body), "<$1>"+redacted+"<")
}

// jsonMember is the first of the named members that is a string.
func jsonMember(body []byte, names ...string) string {
	var members map[string]any
	if json.Unmarshal(body, &members) != nil {
		return ""
	}
	for _, name := range names {
		if v, ok := members[name].(string); ok {
			return v
		}
	}
	return ""
}
