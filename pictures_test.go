package main

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

var pictures = flag.String("pictures", "", "the folder that the README's pictures go to; without it they are only taken")

// The README's pictures: a school on a quiet afternoon, as students and a wall show it.
func TestPage_pictures(t *testing.T) {
	p := quietSchool(t, 100, true)
	for _, one := range []struct {
		name          string
		width, height int
		query, ready  string
	}{
		{"page", 1440, 960, "?student=xochitl-mendoza", `document.querySelector("tr.own .rank").textContent === "5" && document.querySelectorAll("#own-chart canvas").length === 2`},
		{"phone", 390, 844, "?student=ixchel-perez", dockOn},
		{"kiosk", 1440, 844, "?kiosk", isLive},
	} {
		ctx := browser(t)(one.width, one.height, "es-MX")
		visit(t, ctx, p.url+"/"+one.query, isLive, one.ready)
		for _, scheme := range []string{"light", "dark"} {
			prefer(t, ctx, "prefers-color-scheme", scheme)
			settle(t, ctx)
			picture, size := takePicture(t, ctx, one.name+"-"+scheme+".png")
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

// takePicture takes one of what a window shows, into the folder that -pictures names,
// and returns it with its bytes as a file.
func takePicture(tb testing.TB, ctx context.Context, name string) (picture image.Image, size int) {
	tb.Helper()
	taken, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tb.Fatal(err)
	}
	if picture, err = png.Decode(bytes.NewReader(taken)); err != nil {
		tb.Fatal(err)
	}
	var file bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&file, picture); err != nil {
		tb.Fatal(err)
	}
	if *pictures != "" {
		if err := os.WriteFile(filepath.Join(*pictures, name), file.Bytes(), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return picture, file.Len()
}

// brightness returns the mean of a picture's, from 0 to 1.
func brightness(picture image.Image) float64 {
	size := picture.Bounds()
	sum := 0.0
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			sum += float64(r+g+b) / 3 / 0xffff
		}
	}
	return sum / float64(size.Dx()*size.Dy())
}
