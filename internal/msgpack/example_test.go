package msgpack_test

import (
	"fmt"

	"marcador/internal/msgpack"
)

// The result takes 15 bytes. The text has 25.
func ExampleFromJSON() {
	packed, err := msgpack.FromJSON(nil, []byte(`{"rank":1,"xp":[1500,-3]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("% x\n", packed)
	// Output: 82 a4 72 61 6e 6b 01 a2 78 70 92 cd 05 dc fd
}

// The text must be one JSON value. On an error, the destination is returned as it was.
func ExampleFromJSON_error() {
	dst, err := msgpack.FromJSON([]byte("before"), []byte(`{"rank":1} {}`))
	fmt.Printf("%s: %v\n", dst, err)
	// Output: before: convert JSON to MessagePack: more data after the value
}
