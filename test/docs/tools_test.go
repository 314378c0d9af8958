package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"marcador/test/testkit"
)

// tool runs a program that checks an example. It has to succeed.
func (d *document) tool(b block, folder, name string, args ...string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), name, args...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Errorf("%s:%d: %s: %v\n%s", d.path, b.line, name, err, out)
	}
}

// installed finds a program on PATH, or where Debian has servers. An example is not checked on a
// machine that lacks its program.
func (d *document) installed(b block, name string) (path string, ok bool) {
	d.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		d.t.Logf("%s:%d: not checked, since there is no %s", d.path, b.line, name)
	}
	return path, err == nil
}

// nginx has nginx read a server's configuration. It opens the ports, so it is given another one.
func (d *document) nginx(b block) {
	path, ok := d.installed(b, "nginx")
	if !ok {
		return
	}
	folder := d.t.TempDir()
	text := strings.ReplaceAll(b.text, "listen 80;", "listen unix:"+filepath.Join(folder, "socket")+";")
	write(d.t, filepath.Join(folder, "nginx.conf"), fmt.Sprintf(`
pid %[1]s/pid; error_log stderr;
events { }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
%[2]s}`, folder, text))
	d.tool(b, folder, path, "-t", "-p", folder, "-e", "stderr", "-c", "nginx.conf")
}

func (d *document) haproxy(b block) {
	path, ok := d.installed(b, "haproxy")
	if !ok {
		return
	}
	folder := d.t.TempDir()
	write(d.t, filepath.Join(folder, "haproxy.cfg"), b.text)
	d.tool(b, folder, path, "-c", "-f", "haproxy.cfg")
}

// systemd has systemd check a unit, on a machine that has it. The unit's program has to be there.
func (d *document) systemd(b block) {
	path, ok := d.installed(b, "systemd-analyze")
	if !ok {
		return
	}
	folder := d.t.TempDir()
	write(d.t, filepath.Join(folder, "marcador.service"), strings.ReplaceAll(b.text, "/usr/local/bin/marcador", testkit.Binary(d.t)))
	d.tool(b, folder, path, "verify", "--man=no", "./marcador.service")
}

// entry is one of a crontab: five fields, and a command in which % is escaped.
var entry = regexp.MustCompile(`^(?:\S+ ){5}(.+)\n$`)

// cron runs the command of a crontab's entry beside the document's database.
func (d *document) cron(b block) {
	d.t.Helper()
	found := entry.FindStringSubmatch(b.text)
	if found == nil {
		d.t.Fatalf("%s:%d: this is not one entry of a crontab", d.path, b.line)
	}
	s := d.session()
	text := strings.NewReplacer(`\%`, "%", "/var/lib/marcador", s.folder).Replace(found[1])
	s.run("sh -c " + quote(text))
}

// quote returns text as one word of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// imports brings a block of records into a new database.
func (d *document) imports(b block, format string) {
	d.t.Helper()
	s := d.session()
	name := fmt.Sprintf("example-%d", b.line)
	write(d.t, filepath.Join(s.folder, name+"."+format), b.text)
	s.run(fmt.Sprintf("./marcador import %[1]s.%[2]s --db %[1]s.db && MARCADOR_URL= ./marcador verify --db %[1]s.db", name, format))
}

// module has Node load an ES module, which may import the client and the packages of the tests.
func (d *document) module(b block) {
	d.t.Helper()
	folder := d.nodeFolder()
	write(d.t, filepath.Join(folder, "example.mjs"), b.text)
	d.tool(b, folder, "node", "example.mjs")
}

// svelte compiles a component.
func (d *document) svelte(b block) {
	d.t.Helper()
	folder := d.nodeFolder()
	write(d.t, filepath.Join(folder, "Example.svelte"), b.text)
	write(d.t, filepath.Join(folder, "compile.mjs"), `
import { readFileSync } from "node:fs";
import { compile } from "svelte/compiler";
const { warnings } = compile(readFileSync("Example.svelte", "utf8"), { filename: "Example.svelte" });
if (warnings.length > 0) throw new Error(warnings.map((one) => one.message).join("; "));
`)
	d.tool(b, folder, "node", "compile.mjs")
}

// nodeFolder returns a new folder in which Node finds the client as "marcador", and React, Vue and
// Svelte.
func (d *document) nodeFolder() string {
	d.t.Helper()
	folder := d.t.TempDir()
	packages := filepath.Join(folder, "node_modules")
	if err := os.Mkdir(packages, 0o700); err != nil {
		d.t.Fatal(err)
	}
	for name, at := range map[string]string{
		"marcador": "static",
		"react":    "node_modules/react",
		"vue":      "node_modules/vue",
		"svelte":   "node_modules/svelte",
	} {
		if err := os.Symlink(filepath.Join(root, at), filepath.Join(packages, name)); err != nil {
			d.t.Fatal(err)
		}
	}
	return folder
}

func write(tb testing.TB, path, text string) {
	tb.Helper()
	testkit.Write(tb, path, []byte(text))
}
