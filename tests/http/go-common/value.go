package common

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"github.com/nexus-rpc/sdk-go/nexus"
)

// Value is an input or a result that a test gives. Without a member it is nil.
type Value struct {
	JSON  json.RawMessage `json:"json,omitempty"`
	Bytes []byte          `json:"bytes,omitempty"`
	Raw   *Content        `json:"raw,omitempty"`
}

// Content is a value on the wire.
type Content struct {
	Headers nexus.Header `json:"headers"`
	Data    []byte       `json:"data"`
}

// ForSerializer is the value as a user of the SDK has it.
func (v Value) ForSerializer() any {
	switch {
	case v.JSON != nil:
		return v.JSON
	case v.Bytes != nil:
		return v.Bytes
	case v.Raw != nil:
		return &nexus.Content{Header: v.Raw.Headers, Data: v.Raw.Data}
	default:
		return nil
	}
}

// Received is a value that came over the wire, with what the peer's serializer made of it.
type Received struct {
	Headers nexus.Header `json:"headers"`
	Value   any          `json:"value"`
}

// Receive reads a value. One that the serializer does not know it takes as bytes.
func Receive(reader *nexus.Reader) (*Received, error) {
	defer reader.Close()
	data, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	received := &Received{Headers: reader.Header}
	err = nexus.DefaultSerializer().Deserialize(&nexus.Content{Header: reader.Header, Data: data}, &received.Value)
	if errors.Is(err, nexus.ErrSerializerIncompatible) {
		received.Value, err = data, nil
	}
	return received, err
}

// Verbatim reads a value as it is, for operations that take a *nexus.Content.
type Verbatim struct{}

// Deserialize implements nexus.Serializer.
func (Verbatim) Deserialize(content *nexus.Content, v any) error {
	raw, ok := v.(**nexus.Content)
	if !ok {
		return nexus.ErrSerializerIncompatible
	}
	*raw = &nexus.Content{Header: content.Header, Data: bytes.Clone(content.Data)}
	return nil
}

// Serialize implements nexus.Serializer.
func (Verbatim) Serialize(any) (*nexus.Content, error) {
	return nil, nexus.ErrSerializerIncompatible
}

// Serializer is that of the SDK, and Verbatim.
func Serializer() nexus.Serializer {
	return nexus.CompositeSerializer{nexus.DefaultSerializer(), Verbatim{}}
}

// Link is a nexus.Link in JSON.
type Link struct {
	URL  string `json:"url"`
	Type string `json:"type"`
}

// Links reads the links that a test gives.
func Links(links []Link) ([]nexus.Link, error) {
	var read []nexus.Link
	for _, link := range links {
		parsed, err := url.Parse(link.URL)
		if err != nil {
			return nil, err
		}
		read = append(read, nexus.Link{URL: parsed, Type: link.Type})
	}
	return read, nil
}

// SeenLinks is how links are reported.
func SeenLinks(links []nexus.Link) []Link {
	seen := []Link{}
	for _, link := range links {
		seen = append(seen, Link{URL: link.URL.String(), Type: link.Type})
	}
	return seen
}
