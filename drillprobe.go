package karbor

import "encoding/json"

// usualTimeout is how long a probe waits that says nothing of that, in seconds.
const usualTimeout = 300

// UnmarshalJSON implements json.Unmarshaler. What is missing has its default.
func (p *ConsoleProbe) UnmarshalJSON(text []byte) error {
	type plain ConsoleProbe
	v := plain{Pattern: "login:", Timeout: usualTimeout}
	err := json.Unmarshal(text, &v)
	*p = ConsoleProbe(v)
	return err
}

// UnmarshalJSON implements json.Unmarshaler. What is missing has its default.
func (p *VolumeProbe) UnmarshalJSON(text []byte) error {
	type plain VolumeProbe
	v := plain{Digest: true}
	err := json.Unmarshal(text, &v)
	*p = VolumeProbe(v)
	return err
}

// UnmarshalJSON implements json.Unmarshaler. What is missing has its default.
func (p *PortProbe) UnmarshalJSON(text []byte) error {
	type plain PortProbe
	v := plain{Timeout: usualTimeout}
	err := json.Unmarshal(text, &v)
	*p = PortProbe(v)
	return err
}

// UnmarshalJSON implements json.Unmarshaler. What is missing has its default.
func (p *CommandProbe) UnmarshalJSON(text []byte) error {
	type plain CommandProbe
	v := plain{Timeout: usualTimeout}
	err := json.Unmarshal(text, &v)
	*p = CommandProbe(v)
	return err
}
