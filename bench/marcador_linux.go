package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"marcador/auth"
)

// secret signs the tokens. The server listens on a loopback address.
const secret = "not-a-secret-it-signs-for-a-test-load"

// program is the built program, with tokens for its callers.
type program struct {
	path     string
	help     string // the help of serve, which names its flags
	verifier *auth.Verifier
	admin    string   // the token of an administrator
	tokens   []string // one for each client
}

// build builds the program in folder.
func build(ctx context.Context, folder string) (*program, error) {
	p := &program{path: filepath.Join(folder, "marcador")}
	//nolint:gosec // the path is ours
	compile := exec.CommandContext(ctx, "go", "build", "-o", p.path, "marcador")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build marcador: %w\n%s", err, out)
	}
	help, err := exec.CommandContext(ctx, p.path, "serve", "--help").Output() //nolint:gosec // ours
	if err != nil {
		return nil, fmt.Errorf("ask marcador for its flags: %w", err)
	}
	p.help = string(help)
	if p.verifier, err = auth.NewVerifier(auth.Options{Secret: []byte(secret)}); err != nil {
		return nil, err
	}
	if p.admin, err = p.verifier.Sign(auth.Caller{UserID: "load", Scopes: []string{auth.ScopeAdmin}}, 24*time.Hour); err != nil {
		return nil, err
	}
	return p, nil
}

// has reports whether serve has the flag.
func (p *program) has(flag string) bool { return strings.Contains(p.help, flag+"=") }

// sign makes tokens for n clients before the load begins.
func (p *program) sign(n int) error {
	for i := len(p.tokens); i < n; i++ {
		token, err := p.verifier.Sign(auth.Caller{UserID: "reader-" + strconv.Itoa(i), Email: fmt.Sprintf("reader-%d@example.org", i)}, 24*time.Hour)
		if err != nil {
			return err
		}
		p.tokens = append(p.tokens, token)
	}
	return nil
}

// service is a running marcador.
type service struct {
	*child

	program *program
	url     string
	metrics string // the URL of its metrics, or "none"
	web     *http.Client
	folder  string      // of its database
	gave    int         // updates so far
	starts  chan string // gets the URL once the service listens

	mu sync.Mutex
	// broadcasts has the time of each version's broadcast, from the log. Guarded by mu.
	broadcasts map[int64]int64
}

// start starts a service on a new database with a hundred users.
func (p *program) start(ctx context.Context, flags ...string) (*service, error) {
	folder, err := os.MkdirTemp(filepath.Dir(p.path), "db-")
	if err != nil {
		return nil, err
	}
	s := &service{
		program: p, folder: folder,
		web: &http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: true, TLSClientConfig: trusting(), DisableCompression: true,
		}, Timeout: 10 * time.Second},
		starts:     make(chan string, 1),
		broadcasts: make(map[int64]int64),
	}
	args := append([]string{
		"serve", "--addr", "127.0.0.1:0", "--db", filepath.Join(folder, "m.db"), "--throttle", "0",
		"--log-format", "json", "--log-level", "debug", "--heartbeat", "30s",
	}, flags...)
	s.child = newChild(p.path, args, []string{"MARCADOR_JWT_SECRET=" + secret})
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start marcador: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start marcador: %w", err)
	}
	var output sync.WaitGroup
	output.Go(func() { s.listen(stderr) })
	s.wait(&output)
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start marcador: %w", err), s.stop())
	}
	return s, nil
}

// begin waits until the service listens, and then adds the users.
func (s *service) begin(ctx context.Context) error {
	select {
	case s.url = <-s.starts:
	case <-s.exited:
		return fmt.Errorf("it ended: %s", s.said.String())
	case <-time.After(10 * time.Second):
		return errors.New("it did not listen within 10s")
	case <-ctx.Done():
		return ctx.Err()
	}
	at, err := url.Parse(s.url)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		return err
	}
	s.at = unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	s.url = at.Scheme + "://" + net.JoinHostPort("127.0.0.1", at.Port())
	return s.fill(ctx)
}

// listen reads the log.
func (s *service) listen(log io.Reader) {
	for lines := bufio.NewScanner(log); lines.Scan(); {
		line := lines.Bytes()
		switch {
		case bytes.Contains(line, []byte(`"msg":"broadcast"`)):
			var said struct {
				Time    time.Time `json:"time"`
				Board   string    `json:"board"`
				Version int64     `json:"version"`
			}
			if json.Unmarshal(line, &said) == nil && said.Board == "global" {
				s.mu.Lock()
				s.broadcasts[said.Version] = said.Time.UnixNano()
				s.mu.Unlock()
			}
		case bytes.Contains(line, []byte(`"msg":"listening"`)):
			var said struct {
				URL     string `json:"url"`
				Metrics string `json:"metrics"`
			}
			if json.Unmarshal(line, &said) == nil {
				s.metrics = said.Metrics
				select {
				case s.starts <- said.URL:
				default:
				}
			}
		case !bytes.Contains(line, []byte(`"level":"DEBUG"`)):
			s.said.add(string(line))
		}
	}
}

func (s *service) stop() error {
	err := s.child.stop()
	s.web.CloseIdleConnections()
	return errors.Join(err, os.RemoveAll(s.folder))
}

func (s *service) publishedAt(p publication) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.broadcasts[p.version]; ok {
		return at
	}
	return p.at
}

func (s *service) request(n int, want stream) []byte {
	mode, accept := "", ""
	if want.diff {
		mode = "&mode=diff"
	}
	if want.gzip {
		accept = "Accept-Encoding: gzip\r\n"
	}
	return fmt.Appendf(nil, "GET /v1/events?board=global%s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n%sAuthorization: Bearer %s\r\n\r\n",
		mode, accept, s.program.tokens[n%len(s.program.tokens)])
}

// publish gives a user one point, which moves nobody.
func (s *service) publish(ctx context.Context) (publication, error) { return s.publishOf(ctx, people) }

// publishOf is publish for one of the first users.
func (s *service) publishOf(ctx context.Context, first int) (publication, error) {
	s.gave++
	at := time.Now().UnixNano()
	var done struct {
		Version int64 `json:"version"`
	}
	err := s.post(ctx, "/v1/users/"+personID(s.gave*37%first)+"/xp", map[string]any{"xp": 1, "reason": "exercise:" + strconv.Itoa(s.gave)}, &done)
	if err != nil {
		select {
		case <-s.exited:
			err = fmt.Errorf("%w; marcador has ended: %s", err, s.said.String())
		default:
		}
	}
	return publication{version: done.Version, at: at}, err
}

func (s *service) post(ctx context.Context, path string, body, answer any) error {
	return s.ask(ctx, http.MethodPost, path, body, answer)
}

// ask sends body as JSON, unless it is nil, and decodes the answer, unless it is empty.
func (s *service) ask(ctx context.Context, method, path string, body, answer any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.program.admin)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := s.web.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, all)
	}
	if len(all) == 0 {
		return nil
	}
	return json.Unmarshal(all, answer)
}

// capture returns the bytes of an event on a stream of the kind, or false if the program does not
// have such streams.
func (s *service) capture(ctx context.Context, want stream) ([]byte, bool, error) {
	target := s.url + "/v1/events?board=global"
	if want.diff {
		target += "&mode=diff"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, false, err
	}
	r.Header.Set("Authorization", "Bearer "+s.program.tokens[0])
	response, err := s.web.Do(r)
	if err != nil {
		return nil, false, fmt.Errorf("capture an event: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, false, nil
	}
	body := bufio.NewReader(response.Body)
	var frame []byte
	for events := 0; ; {
		line, err := body.ReadBytes('\n')
		if err != nil {
			return nil, false, fmt.Errorf("capture an event: %w", err)
		}
		frame = append(frame, line...)
		if len(line) > 1 {
			continue
		}
		switch events++; events {
		case 1: // authenticated
		case 2: // the first state
			if _, err := s.publish(ctx); err != nil {
				return nil, false, err
			}
		default:
			return frame, true, nil
		}
		frame = frame[:0]
	}
}

// compresses reports whether the program compresses streams.
func (s *service) compresses(ctx context.Context) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/v1/events?board=global", nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("Authorization", "Bearer "+s.program.tokens[0])
	r.Header.Set("Accept-Encoding", "gzip")
	response, err := s.web.Do(r)
	if err != nil {
		return false, fmt.Errorf("ask for gzip: %w", err)
	}
	return response.Header.Get("Content-Encoding") == "gzip", response.Body.Close()
}

// fill adds the users and their first points.
func (s *service) fill(ctx context.Context) error {
	var profiles, updates []map[string]any
	for n := range people {
		profiles = append(profiles, profile(n))
		updates = append(updates, map[string]any{"userId": personID(n), "xp": points(n), "mlCoins": 5 * n})
	}
	var answer any
	if err := s.post(ctx, "/v1/users", map[string]any{"users": profiles}, &answer); err != nil {
		return err
	}
	return s.post(ctx, "/v1/xp", map[string]any{"updates": updates}, &answer)
}
