package process_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"marcador/test/testkit"
)

// nobody is the number of the user that owns nothing.
const nobody = 65534

// A service does not start on a file that it can't use. It says why in one line, with the file's
// name and what to do, exits with 1, and leaves the file as it was.
func TestFaults_start(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.db")
	p := testkit.Spawn(t, good)
	p.Enrol(20)
	p.Terminate()
	whole := testkit.Read(t, good)
	damaged := bytes.Clone(whole)
	for at := 4096; at < len(damaged); at += 4096 { // each page but the first, which says what the file is
		for i := range 8 {
			damaged[at+i] ^= 0xff
		}
	}
	newer := bytes.Clone(whole)
	newer[63]++ // user_version: https://www.sqlite.org/fileformat.html#the_database_header
	for name, c := range map[string]struct {
		content []byte
		mode    os.FileMode // of the folder
		want    string
	}{
		"damaged":           {damaged, 0o777, "the database is damaged"},
		"cut off":           {whole[:len(whole)/2], 0o777, "the database is damaged"},
		"newer":             {newer, 0o777, "was written by a newer version of marcador"},
		"not a database":    {[]byte(strings.Repeat("Dear Sir or Madam. ", 400)), 0o777, "not an SQLite database"},
		"another program's": {anotherPrograms(t), 0o777, "of another program"},
		"read-only folder":  {whole, 0o555, "can't be written"},
		"new, read-only":    {nil, 0o555, "can't be written"},
	} {
		t.Run(name, func(t *testing.T) { checkRefused(t, c.content, c.mode, c.want) })
	}
}

// checkRefused starts a service on a file with that content, nil for none, in a folder with that
// mode.
func checkRefused(t *testing.T, content []byte, mode os.FileMode, want string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "marcador-") //nolint:usetesting // another user has to reach it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	db, program := filepath.Join(folder, "m.db"), filepath.Join(folder, "marcador")
	if content != nil {
		testkit.Write(t, db, content)
	}
	if err := os.Link(testkit.Binary(t), program); err != nil {
		testkit.Write(t, program, testkit.Read(t, testkit.Binary(t)))
	}
	cmd := testkit.ServiceCommand([]string{program}, db)
	if os.Geteuid() == 0 { // modes do not bind root
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	for path, mode := range map[string]os.FileMode{db: 0o666, program: 0o755, folder: mode} {
		if err := os.Chmod(path, mode); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	timer := time.AfterFunc(testkit.Patience, func() { _ = cmd.Process.Kill() }) // it serves the file
	err = cmd.Run()
	timer.Stop()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want 1", err)
	}
	if !strings.Contains(said.String(), want) || strings.Count(said.String(), "\n") != 1 || !strings.Contains(said.String(), db) {
		t.Errorf("it says %q, want a line with %q and the file", &said, want)
	}
	if now, err := os.ReadFile(db); err == nil && !bytes.Equal(now, content) || content != nil && err != nil {
		t.Errorf("the file has changed (%v)", err)
	}
}

// anotherPrograms returns a database that another program made.
func anotherPrograms(tb testing.TB) []byte {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "other.db")
	testkit.Change(tb, path, `CREATE TABLE recipes (text TEXT)`)
	return testkit.Read(tb, path)
}
