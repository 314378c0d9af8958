package sse

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// send writes as much of the batch as the socket takes without waiting. It returns the number of
// bytes that it has written, and the rest of the batch. It changes the batch.
func send(fd int32, batch [][]byte) (sent int64, unsent [][]byte, err error) {
	for len(batch) > 0 {
		var n int
		if len(batch) == 1 {
			n, err = sendOne(fd, batch[0])
		} else {
			n, err = sendSome(fd, batch)
		}
		switch {
		case err == nil:
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return sent, batch, nil
		default:
			return sent, batch, fmt.Errorf("sse: send: %w", err)
		}
		sent += int64(n)
		for len(batch) > 0 && n >= len(batch[0]) {
			n -= len(batch[0])
			batch[0] = nil
			batch = batch[1:]
		}
		if n > 0 {
			// Send again until EAGAIN. Only after EAGAIN does epoll report when the socket takes
			// more.
			batch[0] = batch[0][n:]
		}
	}
	return sent, nil, nil
}

// sendOne is send(2) without waiting, and without telling the scheduler. The scheduler would think
// that the goroutine blocks, and would look for other work every 20 µs. That took a tenth of the
// CPU of a fan-out.
func sendOne(fd int32, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// maxPieces is how many pieces are handed to the kernel at a time. Most batches have three.
const maxPieces = 8

// sendSome is sendOne for the first of several pieces, with sendmsg(2).
func sendSome(fd int32, batch [][]byte) (int, error) {
	var pieces [maxPieces]unix.Iovec
	n := 0
	for _, b := range batch[:min(len(batch), maxPieces)] {
		if len(b) > 0 {
			pieces[n].Base = unsafe.SliceData(b)
			pieces[n].SetLen(len(b))
			n++
		}
	}
	message := unix.Msghdr{Iov: &pieces[0]}
	message.SetIovlen(n)
	sent, _, errno := syscall.RawSyscall6(unix.SYS_SENDMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&message)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(sent), nil
}

// discard drops up to a megabyte of unread bytes from the client.
func discard(fd int32) {
	// MSG_TRUNC has the kernel copy nothing. The call does not wait, so the scheduler need not know
	// of it. It fails if there is nothing to drop.
	_, _, _ = syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), 0, 1<<20,
		unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0) // there may be nothing
}
