package page_test

import (
	"bytes"
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

var pictures = flag.String("pictures", "", "the folder for the README's pictures, as an absolute path; without it they are only taken")

// The README's pictures show a school on a quiet afternoon, as students and a wall see it.
func TestPage_pictures(t *testing.T) {
	p := site.School(t, 100, true)
	for _, one := range []struct {
		name          string
		width, height int
		query, ready  string
	}{
		{"page", 1440, 960, "?student=xochitl-mendoza", `document.querySelector("tr.own .rank").textContent === "5" && document.querySelectorAll("#own-chart canvas").length === 2`},
		{"phone", 390, 844, "?student=ixchel-perez", site.DockOn},
		{"kiosk", 1440, 844, "?kiosk", site.Live},
	} {
		window := browser.Open(t, one.width, one.height, "es-MX")
		site.VisitAtNoon(window, p.URL+"/"+one.query, site.Live, one.ready)
		for _, scheme := range []string{"light", "dark"} {
			window.Prefer("prefers-color-scheme", scheme)
			window.Settle()
			picture, size := takePicture(t, window, one.name+"-"+scheme+".png")
			t.Logf("%s, %s: %d bytes", one.name, scheme, size)
			if size > 150_000 {
				t.Errorf("%s: %d bytes are too many for a README", one.name, size)
			}
			if got := picture.Bounds().Size(); got != image.Pt(one.width, one.height) {
				t.Errorf("%s: the picture is of %v", one.name, got)
			}
			if got := brightness(picture); (got < 0.5) != (scheme == "dark") {
				t.Errorf("%s: the brightness of the %s page is %.2f", one.name, scheme, got)
			}
		}
	}
}

// takePicture takes a picture of a window, writes it into the folder that -pictures names, and
// returns it with its size as a file.
func takePicture(tb testing.TB, window *browser.Window, name string) (picture image.Image, size int) {
	tb.Helper()
	taken, err := chromedp.Run(window.Context(), chromedp.CaptureScreenshot())
	if err != nil {
		tb.Fatal(err)
	}
	if picture, err = png.Decode(bytes.NewReader(taken)); err != nil {
		tb.Fatal(err)
	}
	compression := png.DefaultCompression
	if *pictures != "" {
		compression = png.BestCompression // it takes four times as long, for a few bytes
	}
	var file bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: compression}).Encode(&file, picture); err != nil {
		tb.Fatal(err)
	}
	if *pictures != "" {
		if err := os.WriteFile(filepath.Join(*pictures, name), file.Bytes(), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return picture, file.Len()
}

// brightness returns the mean brightness of a picture, from 0 to 1.
func brightness(picture image.Image) float64 {
	size := picture.Bounds()
	const sampled = 7 // each seventh pixel of each seventh row is enough
	sum, n := 0.0, 0
	for y := size.Min.Y; y < size.Max.Y; y += sampled {
		for x := size.Min.X; x < size.Max.X; x += sampled {
			r, g, b, _ := picture.At(x, y).RGBA()
			sum += float64(r+g+b) / 3 / 0xffff
			n++
		}
	}
	return sum / float64(n)
}
