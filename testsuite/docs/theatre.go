package docs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/atlas-cmk/atlas-cmk/testsuite/devserver"
)

// tctl names the environment variable that says where tctl is: its page is run only then, since it takes long to make.
const tctl = "ATLAS_CMK_TCTL"

// theatre is what all pages share: a Temporal server, and the programs.
type theatre struct {
	root, dir string
	server    *devserver.Server
	// path finds the programs: temporal, and what stands in for aws.
	path string
}

func openTheatre(ctx context.Context) (*theatre, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "atlas-cmk-docs")
	if err != nil {
		return nil, err
	}
	th := &theatre{root: root, dir: dir}
	bin := filepath.Join(dir, "bin") + string(filepath.Separator)
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "./worker", "./starter")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("go build: %w\n%s", err, out), os.RemoveAll(dir))
	}
	temporal, err := devserver.Find(ctx)
	if err == nil {
		th.path = filepath.Join(dir, "path")
		err = errors.Join(os.Mkdir(th.path, 0o700), os.Symlink(temporal, filepath.Join(th.path, "temporal")),
			os.Symlink(filepath.Join(root, "testsuite", "docs", "aws"), filepath.Join(th.path, "aws")))
	}
	if path := os.Getenv(tctl); err == nil && path != "" {
		if path, err = filepath.Abs(path); err == nil {
			err = os.Symlink(path, filepath.Join(th.path, "tctl"))
		}
	}
	if err == nil {
		th.server, err = devserver.Start(ctx, devserver.Options{Bin: temporal, Fast: true, LogFile: filepath.Join(dir, "server.log")})
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return th, nil
}

func (th *theatre) close() error { return errors.Join(th.server.Stop(), os.RemoveAll(th.dir)) }

// clone is a directory that looks like a fresh clone of the repository with the programs built, for commands to run in. What
// they build anew is theirs alone.
func (th *theatre) clone(dir string) error {
	entries, err := os.ReadDir(th.root)
	if err != nil {
		return err
	}
	errs := []error{os.Mkdir(filepath.Join(dir, "bin"), 0o700)}
	for _, program := range []string{"worker", "starter"} {
		errs = append(errs, os.Link(filepath.Join(th.dir, "bin", program), filepath.Join(dir, "bin", program)))
	}
	for _, e := range entries {
		if e.Name() != "bin" && e.Name() != ".git" {
			errs = append(errs, os.Symlink(filepath.Join(th.root, e.Name()), filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
