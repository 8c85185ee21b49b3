package activities

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/atlas-sdk/v20250312020/admin"
	"go.temporal.io/sdk/temporal"

	"github.com/atlas-cmk/atlas-cmk/cmk"
)

// Every answer that Atlas or something before it can give becomes an error of a type, retryable or not, which repeats
// nothing of a body that is not Atlas's own.
func TestAnswersOfAtlasBecomeTypedErrors(t *testing.T) {
	const secret = "s3cr3t"
	body := func(code string, status int) string {
		return `{"detail":"something is wrong","error":` + strconv.Itoa(status) + `,"errorCode":"` + code + `","parameters":[],"reason":"x"}`
	}
	for name, c := range map[string]struct {
		status     int
		body       string
		contentTyp string
		retryAfter string
		wantType   string
		retryable  bool
		wait       time.Duration
	}{
		"propagation":        {400, body("CANNOT_ASSUME_ROLE", 400), "application/json", "", "CANNOT_ASSUME_ROLE", true, 0},
		"no permission yet":  {400, body("NO_PERMISSION_TO_ENCRYPT_DECRYPT", 400), "application/json", "", "NO_PERMISSION_TO_ENCRYPT_DECRYPT", true, 0},
		"delete blocked":     {400, body("ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING", 400), "application/json", "", "ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING", true, 0},
		"unknown project":    {404, body("GROUP_NOT_FOUND", 404), "application/json", "", "GROUP_NOT_FOUND", false, 0},
		"any other refusal":  {400, body("SOMETHING_NEW", 400), "application/json", "", "SOMETHING_NEW", false, 0},
		"not permitted":      {401, body("USER_UNAUTHORIZED", 401), "application/json", "", "USER_UNAUTHORIZED", false, 0},
		"from elsewhere":     {403, body("IP_ADDRESS_NOT_ON_WHITELIST", 403), "application/json", "", "IP_ADDRESS_NOT_ON_WHITELIST", false, 0},
		"on clusters still":  {409, body("CANNOT_DISABLE_ENCRYPTION_AT_REST", 409), "application/json", "", "CANNOT_DISABLE_ENCRYPTION_AT_REST", false, 0},
		"being upgraded":     {405, body("WRITES_NOT_ALLOWED_DURING_APP_UPGRADES", 405), "application/json", "", "WRITES_NOT_ALLOWED_DURING_APP_UPGRADES", true, 0},
		"rate limit":         {429, body("RATE_LIMITED_TOKEN_BUCKET", 429), "application/json", "7", "RATE_LIMITED_TOKEN_BUCKET", true, 7 * time.Second},
		"without its header": {429, body("RATE_LIMITED_TOKEN_BUCKET", 429), "application/json", "", "RATE_LIMITED_TOKEN_BUCKET", true, 0},
		"server error":       {500, body("UNEXPECTED_ERROR", 500), "application/json", "", "UNEXPECTED_ERROR", true, 0},
		"a proxy's page":     {502, "<html>" + secret + "</html>", "text/html", "", cmk.ErrUnreachable, true, 0},
		"a login page":       {200, "<html>" + secret + "</html>", "text/html", "", cmk.ErrUnreachable, true, 0},
		"cut short":          {500, `{"detail":"` + secret, "application/json", "", cmk.ErrUnreachable, true, 0},
		"nothing":            {503, "", "application/json", "3", cmk.ErrUnreachable, true, 3 * time.Second},
		"refused by a proxy": {403, "denied " + secret, "text/plain", "", cmk.ErrUnreachable, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.contentTyp)
				if c.retryAfter != "" {
					w.Header().Set("Retry-After", c.retryAfter)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			api, err := admin.NewClient(admin.UseBaseURL(server.URL))
			require.NoError(t, err)
			_, response, err := api.ProjectsApi.GetGroup(t.Context(), testProject).Execute()
			err = atlasError(err, response, "read project %s", testProject)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Equal(t, c.wantType, app.Type())
			require.Equal(t, c.retryable, !app.NonRetryable())
			require.Equal(t, c.wait, app.NextRetryDelay())
			require.Contains(t, app.Message(), testProject)
			require.NotContains(t, err.Error()+cause(err), secret)
			require.Less(t, len(err.Error()), 1024)
		})
	}
}

func TestSilenceIsUnreachable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	api, err := admin.NewClient(admin.UseBaseURL(server.URL))
	require.NoError(t, err)
	_, response, err := api.ProjectsApi.GetGroup(t.Context(), testProject).Execute()
	var app *temporal.ApplicationError
	require.ErrorAs(t, atlasError(err, response, "read"), &app)
	require.Equal(t, cmk.ErrUnreachable, app.Type())
	require.False(t, app.NonRetryable())
}

// What a person can mend is said with how.
func TestRemedies(t *testing.T) {
	for code, c := range map[string]struct {
		status int
		remedy string
	}{
		"USER_UNAUTHORIZED":           {401, "Project Owner"},
		"NOT_IN_GROUP":                {401, "Project Owner"},
		"UNEXPECTED_ERROR":            {401, "credentials"},
		"IP_ADDRESS_NOT_ON_WHITELIST": {403, "access list"},
		"ORG_REQUIRES_WHITELIST":      {403, "access list"},
		"ACCOUNT_SUSPENDED":           {402, "settle"},
		"GROUP_NOT_FOUND":             {404, "project id"},
		"AccessDeniedException":       {400, "permission"},
	} {
		var app *temporal.ApplicationError
		require.ErrorAs(t, typed(code, c.status, 0, "read"), &app)
		require.True(t, app.NonRetryable(), code)
		require.Contains(t, app.Message(), c.remedy, code)
	}
}

// Every error that Atlas documents for the settings, their endpoints and clusters is tried again where it passes by
// itself, and is final where only a person, or another step, can change it.
func TestDocumentedErrorsAreRetriedOrFinal(t *testing.T) {
	for code, c := range map[string]struct {
		status    int
		retryable bool
	}{
		// Settings.
		"CANNOT_ASSUME_ROLE":                           {400, true},
		"INVALID_AWS_CREDENTIALS":                      {400, true},
		"CLOUD_PROVIDER_ACCESS_ROLE_NOT_AUTHORIZED":    {400, true},
		"NO_PERMISSION_TO_ENCRYPT_DECRYPT":             {400, true},
		"AWS_KMS_CUSTOMER_MASTER_KEY_NOT_ENABLED":      {400, false},
		"AWS_KMS_CUSTOMER_MASTER_KEY_PENDING_DELETION": {400, false},
		"AWS_KMS_CUSTOMER_MASTER_KEY_PENDING_IMPORT":   {400, false},
		"AWS_KMS_REGION_NOT_SUPPORTED":                 {400, false},
		"AWS_CUSTOMER_MASTER_KEY_NOT_FOUND":            {404, false},
		"AWS_KMS_CREDENTIALS_AUTH_DEPRECATED":          {400, false},
		"ENCRYPTION_AT_REST_SETTINGS_INVALID":          {400, false},
		"MISSING_ENCRYPTION_AT_REST_PROVIDER":          {400, false},
		"INVALID_ENCRYPTION_AT_REST_PROVIDER":          {400, false},
		"ENCRYPTION_AT_REST_PROVIDER_NOT_SUPPORTED":    {400, false},
		"ENCRYPTION_AT_REST_NOT_ENABLED":               {400, false},
		"CANNOT_USE_ENCRYPTION_AT_REST_TENANT":         {400, false},
		"INSUFFICIENT_INSTANCE_SIZE":                   {400, false},
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_REQUIRE_PRIVATE_NETWORKING_WHILE_PRIVATE_ENDPOINTS_EXIST":        {400, true},
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_DUE_TO_PRIVATE_ENDPOINTS":                                        {400, true},
		"CANNOT_DISABLE_ENCRYPTION_AT_REST_WITH_BACKUP_COMPLIANCE_POLICY":                                   {400, false},
		"CAN_NOT_DISABLE_ALL_ENCRYPTION_AT_REST_SETTINGS_WHILE_BACKUP_COMPLIANCE_POLICY_ENCRYPTION_ENABLED": {400, false},
		"CANNOT_DISABLE_ENCRYPTION_AT_REST":                                                                 {409, false},
		// Endpoints.
		"ENCRYPTION_AT_REST_PRIVATE_ENDPOINT_DELETE_BLOCKED_DURING_PROVISIONING": {400, true},
		// Clusters.
		"CLUSTER_NOT_FOUND":                                            {404, false},
		"CLUSTER_RESTORE_IN_PROGRESS_CANNOT_UPDATE":                    {409, true},
		"CANNOT_TERMINATE_CLUSTER_WHEN_TERMINATION_PROTECTION_ENABLED": {400, false},
		"CANNOT_USE_FLEX_CLUSTER_IN_CLUSTER_API":                       {400, false},
		"OUT_OF_CAPACITY":                                              {409, false},
	} {
		var app *temporal.ApplicationError
		require.ErrorAs(t, typed(code, c.status, 0, "change the settings"), &app)
		require.Equal(t, code, app.Type())
		require.Equal(t, c.retryable, !app.NonRetryable(), code)
	}
}
