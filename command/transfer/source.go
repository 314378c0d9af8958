package transfer

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
)

// blockSize is how many bytes of an input share a checksum.
const blockSize = 64 << 10

// maxSpool is the most bytes of an input that can't be read twice and is copied to a temporary
// file. Tests set a smaller number.
var maxSpool int64 = 8 << 30

// errChanged says that an input changed after it was first read.
var errChanged = errors.New("it was changed while it was being imported; import it again when nothing writes to it")

// source is an input that is read several times. Before a block is used again, its checksum shows
// whether it is still the same. The checksums take 8 bytes of memory for 64 KiB of input.
type source struct {
	in    io.ReadSeeker
	start int64    // offset at which the input begins
	temp  *os.File // the temporary file, or nil
	seed  maphash.Seed
	sums  []uint64 // checksums of the blocks, from the first reading
	size  int64
}

// newSource makes a source of the input. It copies an input that can't be read twice to a temporary
// file in the folder, which nobody else may read. close removes the file.
func newSource(in io.Reader, folder string) (*source, error) {
	s := &source{seed: maphash.MakeSeed()}
	if seeker, ok := in.(io.ReadSeeker); ok {
		if start, err := seeker.Seek(0, io.SeekCurrent); err == nil { // fails for a pipe
			s.in, s.start = seeker, start
			return s, nil
		}
	}
	temp, err := os.CreateTemp(folder, "marcador-import-*")
	if err != nil {
		return nil, fmt.Errorf("keep the input in a temporary file, to read it twice: %w", err)
	}
	s.in, s.temp = temp, temp
	n, err := io.Copy(temp, io.LimitReader(in, maxSpool+1))
	if err == nil && n > maxSpool {
		err = fmt.Errorf("the input is larger than %d bytes; put it into a file, and import that", maxSpool)
	}
	if err == nil {
		_, err = temp.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *source) close() error {
	if s.temp == nil {
		return nil
	}
	return errors.Join(s.temp.Close(), os.Remove(s.temp.Name()))
}

// look reads the input for the first time and passes each block to the function.
func (s *source) look(block func([]byte)) error {
	b := make([]byte, blockSize)
	for {
		n, err := io.ReadFull(s.in, b)
		if n > 0 {
			s.sums = append(s.sums, maphash.Bytes(s.seed, b[:n]))
			s.size += int64(n)
			block(b[:n])
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the input: %w", err)
		}
	}
}

// again returns a reader of the input from its beginning. If the input has changed since the first
// reading, again or the reader returns errChanged.
func (s *source) again() (io.Reader, error) {
	if end, err := s.in.Seek(0, io.SeekEnd); err != nil || end-s.start != s.size {
		return nil, errors.Join(errChanged, err)
	}
	if _, err := s.in.Seek(s.start, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the input again: %w", err)
	}
	return &sameAgain{source: s, block: make([]byte, blockSize)}, nil
}

// sameAgain reads a source again and compares its checksums.
type sameAgain struct {
	*source

	block []byte
	left  []byte // the part of block that was not read yet
	next  int    // index of the next block
}

func (a *sameAgain) Read(p []byte) (int, error) {
	if len(a.left) == 0 {
		n, err := io.ReadFull(a.in, a.block)
		switch {
		case n == 0 && errors.Is(err, io.EOF) && a.next == len(a.sums):
			return 0, io.EOF
		case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return 0, fmt.Errorf("read the input again: %w", err)
		case a.next == len(a.sums) || maphash.Bytes(a.seed, a.block[:n]) != a.sums[a.next]:
			return 0, errChanged
		}
		a.left, a.next = a.block[:n], a.next+1
	}
	n := copy(p, a.left)
	a.left = a.left[n:]
	return n, nil
}
