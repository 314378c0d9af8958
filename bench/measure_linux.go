package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time that all threads of a process have used, ended threads too.
func cpuTime(pid int) (time.Duration, error) {
	// This is the clock of clock_getcpuclockid(3), which the scheduler keeps for the process.
	const cpuclockSched = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &t); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// resident returns the RSS of a process in bytes.
func resident(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("RSS of process %d: %w", pid, err)
			}
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("process %d has no memory", pid)
}

// settledRSS waits until the RSS has not fallen for three seconds, or for 20 seconds, and returns
// it.
func settledRSS(ctx context.Context, pid int) (int64, error) {
	lowest, since := int64(0), time.Now()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		rss, err := resident(pid)
		if err != nil {
			return 0, err
		}
		switch {
		case lowest == 0 || rss < lowest-64<<10:
			lowest, since = rss, time.Now()
		case time.Since(since) >= 3*time.Second:
			return lowest, nil
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return lowest, nil
}

// pause waits for d. It returns an error if ctx is done earlier.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connection is the server's end of a connection, from /proc/net/tcp.
type connection struct {
	state  int   // TCP_ESTABLISHED is 1
	queued int64 // bytes that the client has not acknowledged
}

// established is the state of a connection that neither side has closed.
const established = 1

// connections returns the server's ends of all connections from 127.0.source.x. The keys are the
// clients' addresses as /proc/net/tcp writes them.
func connections(port int, source byte) (map[string]connection, error) {
	file, err := os.Open("/proc/net/tcp")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	all := make(map[string]connection)
	local := fmt.Sprintf(":%04X", port)
	network := fmt.Sprintf("%02X007F:", source) // in the byte order of the machine
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 5 || !strings.HasSuffix(f[1], local) || len(f[2]) < 9 || f[2][2:9] != network {
			continue
		}
		state, err := strconv.ParseInt(f[3], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("/proc/net/tcp: %w", err)
		}
		out, _, _ := strings.Cut(f[4], ":")
		queued, err := strconv.ParseInt(out, 16, 64)
		if err != nil {
			return nil, fmt.Errorf("/proc/net/tcp: %w", err)
		}
		all[f[2]] = connection{int(state), queued}
	}
	return all, lines.Err()
}

var skmem = regexp.MustCompile(`skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+),o(\d+),bl(\d+)`)

// socketMemory returns the bytes that the kernel uses for each of the server's ends: queued data,
// and memory that is reserved for it. It asks ss of iproute2, and returns false if ss is not
// installed.
func socketMemory(ctx context.Context, port int, source byte) ([]int64, bool) {
	filter := fmt.Sprintf("sport = :%d and dst 127.0.%d.0/24", port, source)
	out, err := exec.CommandContext(ctx, "ss", "-tmnH", "state", "connected", filter).Output()
	if err != nil {
		return nil, false
	}
	var all []int64
	for _, match := range skmem.FindAllStringSubmatch(string(out), -1) {
		var sum int64
		for _, part := range match[1:] {
			n, err := strconv.ParseInt(part, 10, 64)
			if err != nil {
				return nil, false
			}
			sum += n
		}
		all = append(all, sum)
	}
	slices.Sort(all)
	return all, true
}

// raiseLimit raises the limit of open files as far as the system allows, and returns how many
// streams that is enough for. Children inherit the limit.
func raiseLimit() (int, error) {
	const wanted, spare = 65536, 256
	limit := unix.Rlimit{Cur: wanted, Max: wanted}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) != nil { // only root may raise the hard limit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return 0, fmt.Errorf("read the limit of open files: %w", err)
		}
		limit.Cur = min(limit.Max, wanted)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return 0, fmt.Errorf("raise the limit of open files: %w", err)
		}
	}
	return int(limit.Cur) - spare, nil
}

// machine describes the machine in the same lines as tools/bench.sh.
func machine() []string {
	var name unix.Utsname
	kernel := "Linux"
	if unix.Uname(&name) == nil {
		kernel += " " + unix.ByteSliceToString(name.Release[:])
	}
	cpu := "unknown"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			cpu = strings.TrimLeft(line, "\t :")
		}
	}
	var memory unix.Sysinfo_t
	_ = unix.Sysinfo(&memory) // a failure shows as 0 MiB
	return []string{
		"date: " + time.Now().UTC().Format("2006-01-02T15:04Z"),
		"go: " + runtime.Version(),
		"kernel: " + kernel,
		"cpu: " + cpu,
		fmt.Sprintf("cores: %d", runtime.NumCPU()),
		fmt.Sprintf("memory: %d MiB", memory.Totalram*uint64(memory.Unit)>>20),
	}
}
