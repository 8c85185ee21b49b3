// Package compose_test checks docker-compose.yml and the Dockerfile as far as that goes without Docker: the file is
// valid and agrees with the contract, and the programs of the images are built and run with the file's own settings.
package compose_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/atlas-cmk/atlas-cmk/cmk"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim"
	"github.com/atlas-cmk/atlas-cmk/testsuite/sim/awssim"
)

const root = "../.."

func load(t *testing.T, options ...cli.ProjectOptionsFn) (*types.Project, error) {
	t.Helper()
	all := append([]cli.ProjectOptionsFn{cli.WithWorkingDirectory(root)}, options...)
	o, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, all...)
	require.NoError(t, err)
	return o.LoadProject(t.Context())
}

// project is the file as written, with the services of the profiles and nothing of the environment.
func project(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	p, err := load(t, cli.WithProfiles(profiles), cli.WithInterpolation(false), cli.WithoutEnvironmentResolution)
	require.NoError(t, err)
	return p
}

func everything(t *testing.T) *types.Project {
	t.Helper()
	return project(t, "atlas", "simulated")
}

func TestSimulatedProfileIsComplete(t *testing.T) {
	t.Parallel()
	p, err := load(t, cli.WithProfiles([]string{"simulated"}), cli.WithEnv([]string{"POSTGRES_PASSWORD=secret"}))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"postgresql", "temporal-schema", "temporal", "temporal-namespace", "temporal-ui", "simulator", "worker-simulated",
	}, p.ServiceNames())
	password := p.Services["temporal"].Environment["POSTGRES_PWD"]
	require.Equal(t, "secret", *password)
}

func TestMissingPasswordIsSaid(t *testing.T) {
	t.Parallel()
	_, err := load(t, cli.WithProfiles([]string{"simulated"}))
	require.ErrorContains(t, err, "choose a password")
}

func TestAtlasProfileTakesItsCredentialsFromAFile(t *testing.T) {
	t.Parallel()
	p := project(t, "atlas")
	require.Contains(t, p.ServiceNames(), "worker")
	require.NotContains(t, p.ServiceNames(), "simulator")
	files := p.Services["worker"].EnvFiles
	require.Len(t, files, 1)
	require.FileExists(t, files[0].Path+".example")
	require.True(t, strings.HasSuffix(files[0].Path, "deploy/worker.env"))
}

func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	exact := regexp.MustCompile(`^[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?$`)
	images := map[string]string{}
	for name, s := range everything(t).Services {
		if s.Build == nil {
			require.Regexp(t, exact, s.Image, name)
			repository, tag, _ := strings.Cut(s.Image, ":")
			images[repository] = tag
		}
	}
	require.Equal(t, images["temporalio/server"], images["temporalio/admin-tools"], "the schema is that of the server")
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+:\S+)`).FindAllStringSubmatch(read(t, "Dockerfile"), -1) {
		require.Regexp(t, `:\d+\.\d+\.\d+-|/static-debian12:nonroot$`, from[1])
	}
}

func TestNothingListensBeyondLoopback(t *testing.T) {
	t.Parallel()
	taken := map[string]string{}
	for name, s := range everything(t).Services {
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, name)
			if other := taken[port.Published]; other != "" {
				// The two workers stand in for each other.
				require.ElementsMatch(t, []string{"worker", "worker-simulated"}, []string{name, other}, "both publish %s", port.Published)
			}
			taken[port.Published] = name
		}
	}
	require.NotEmpty(t, taken)
}

func TestDependenciesCanBeMet(t *testing.T) {
	t.Parallel()
	p := everything(t)
	for name, s := range p.Services {
		for on, dependency := range s.DependsOn {
			switch dependency.Condition {
			case types.ServiceConditionHealthy:
				require.NotNil(t, p.Services[on].HealthCheck, "%s waits for the health of %s", name, on)
			case types.ServiceConditionCompletedSuccessfully:
				require.NotEqual(t, types.RestartPolicyUnlessStopped, p.Services[on].Restart, "%s waits for the end of %s", name, on)
			default:
				require.Fail(t, "a mere start is no condition", "%s on %s", name, on)
			}
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				require.DirExists(t, v.Source, name)
			}
		}
	}
}

// TestNoSecretsAreWritten lets those of the simulated world pass, which are no secrets.
func TestNoSecretsAreWritten(t *testing.T) {
	t.Parallel()
	simulated := []string{sim.ClientSecret, awssim.WorkerSecret, awssim.WorkerAccessKeyID}
	secret := regexp.MustCompile(`PASSWORD|PWD|SECRET|KEY|TOKEN`)
	seen := 0
	for name, s := range everything(t).Services {
		for variable, value := range s.Environment {
			if !secret.MatchString(variable) {
				continue
			}
			seen++
			require.NotNil(t, value, variable)
			if !slices.Contains(simulated, *value) {
				require.Regexp(t, `^\$\{\w+:\?.+\}$`, *value, "%s of %s", variable, name)
			}
		}
	}
	require.Positive(t, seen)
	require.Contains(t, read(t, ".gitignore"), "/deploy/*.env\n")
	require.Contains(t, read(t, ".dockerignore"), "deploy/*.env\n")
}

func TestSearchAttributesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	var named []string
	for _, m := range regexp.MustCompile(`--name (\w+) --type Keyword`).FindAllStringSubmatch(read(t, "deploy/temporal/namespace.sh"), -1) {
		named = append(named, m[1])
	}
	require.ElementsMatch(t, cmk.SearchAttributes(), named)
	makefile := regexp.MustCompile(`(?m)^SEARCH_ATTRIBUTES := (.*)$`).FindStringSubmatch(read(t, "Makefile"))
	require.ElementsMatch(t, cmk.SearchAttributes(), strings.Fields(makefile[1]))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(text)
}
