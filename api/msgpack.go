package api

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"marcador/msgpack"
)

// The content types of answers. Problems are always JSON: RFC 9457 defines no
// other form that MessagePack's users could expect.
const (
	jsonType    = "application/json"
	msgpackType = "application/msgpack"
)

// formats are what huma reads and writes: bodies of requests are JSON.
func formats(check *checker) map[string]huma.Format {
	format := huma.Format{Marshal: marshalJSON, Unmarshal: check.unmarshal}
	return map[string]huma.Format{
		jsonType: format,
		"json":   format,
		msgpackType: {Marshal: marshalMessagePack, Unmarshal: func([]byte, any) error {
			return huma.ErrUnknownContentType
		}},
	}
}

// encoded is an answer that is JSON already.
type encoded []byte

func marshalJSON(w io.Writer, v any) error {
	if body, ok := v.(encoded); ok {
		_, _ = w.Write(body) // the client may be gone
		return nil
	}
	return huma.DefaultJSONFormat.Marshal(w, v)
}

func marshalMessagePack(w io.Writer, v any) error {
	body, ok := v.(encoded)
	if !ok {
		var err error
		if body, err = json.Marshal(v); err != nil {
			return fmt.Errorf("encode %T: %w", v, err)
		}
	}
	packed, err := msgpack.FromJSON(make([]byte, 0, len(body)), body)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	_, _ = w.Write(packed) // the client may be gone
	return nil
}

// negotiate leaves one type in the Accept header, the one to answer with: huma
// looks at its first line only, minds case, and takes a q of 0 for 1. Streams are
// what they are.
func negotiate(ctx huma.Context, next func(huma.Context)) {
	if may, _ := ctx.Operation().Metadata[accessKey].(access); may.stream {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	best := negotiation.SelectQValue(accept, []string{jsonType, msgpackType, "application/x-msgpack"})
	if best == "" || best == jsonType {
		r.Header.Set("Accept", jsonType)
	} else {
		r.Header.Set("Accept", msgpackType)
	}
	w.Header().Add("Vary", "Accept")
	next(ctx)
}

// offerMessagePack says in the OpenAPI document that what is answered in JSON may
// be had in MessagePack.
func offerMessagePack(doc *huma.OpenAPI) {
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, response := range op.Responses {
				if media := response.Content[jsonType]; media != nil {
					response.Content[msgpackType] = media
				}
			}
		}
	}
}
