package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"marcador/internal/msgpack"
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

// encodedOutput is an answer that was encoded while there was a turn and room for it.
type encodedOutput struct {
	Body encoded
}

// encode encodes an answer, in its turn.
func encode(v any) (*encodedOutput, error) {
	var b bytes.Buffer
	if err := marshalJSON(&b, v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return &encodedOutput{b.Bytes()}, nil
}

// answering says in the OpenAPI document what shape the encoded answer has.
func answering[T any](a *api, op *huma.Operation, description string) {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	op.Responses = map[string]*huma.Response{"200": {
		Description: description, Content: map[string]*huma.MediaType{jsonType: {Schema: schema}},
	}}
}

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
		requestOf(r.Context()).hold.copies = 2
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
