package inventory

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/restoration"
	"github.com/karbor/karbor/protectable"
)

// shelf is a plug-in whose resources have sizes in bytes by their ids; what has none is gone.
type shelf struct {
	t       karbor.ResourceType
	parents []karbor.ResourceType
	sizes   map[string]int64
}

func (s shelf) Type() karbor.ResourceType      { return s.t }
func (s shelf) Parents() []karbor.ResourceType { return s.parents }
func (s shelf) List(context.Context, karbor.Cloud, protectable.Query) ([]karbor.Resource, error) {
	return nil, nil
}
func (s shelf) Show(_ context.Context, _ karbor.Cloud, id string, _ map[string]any) (karbor.Resource, error) {
	_, err := s.Size(context.Background(), nil, karbor.Resource{ID: id})
	return karbor.Resource{Type: s.t, ID: id}, err
}
func (s shelf) Dependents(context.Context, karbor.Cloud, karbor.Resource) ([]protectable.Dependent, error) {
	return nil, nil
}
func (s shelf) Size(_ context.Context, _ karbor.Cloud, r karbor.Resource) (int64, error) {
	size, there := s.sizes[r.ID]
	if !there {
		return 0, karbor.Errorf(karbor.NotFound, "there is no %s", r.ID)
	}
	return size, nil
}

func newFinder(t *testing.T) *Finder {
	t.Helper()
	f, err := New([]protectable.Plugin{
		shelf{t: karbor.VolumeType, parents: []karbor.ResourceType{karbor.ServerType}, sizes: map[string]int64{"v": 1, "w": gibibyte + 1}},
		shelf{t: karbor.ServerType},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTypesComeParentsFirstAndOncePerPlugin(t *testing.T) {
	f := newFinder(t)
	if diff := cmp.Diff([]karbor.ResourceType{karbor.ServerType, karbor.VolumeType}, f.Types()); diff != "" {
		t.Error(diff)
	}
	below, err := f.DependentTypes(karbor.ServerType)
	if diff := cmp.Diff([]karbor.ResourceType{karbor.VolumeType}, below); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := f.DependentTypes(karbor.ImageType); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("a type that no plug-in finds: %v", err)
	}
	if _, err := New([]protectable.Plugin{shelf{t: karbor.ServerType}, shelf{t: karbor.ServerType}}); karbor.KindOf(err) != karbor.Invalid {
		t.Errorf("two plug-ins of a type: %v", err)
	}
}

func TestSizesAreRoundedUpEachAndWhatIsGoneTakesNone(t *testing.T) {
	g := &karbor.Graph{}
	for _, id := range []string{"v", "w", "gone"} {
		g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id}, "")
	}
	if got, err := newFinder(t).Gigabytes(t.Context(), nil, g); got != 3 || err != nil {
		t.Errorf("it is %d, %v", got, err)
	}
}

func TestOriginalsThatAreGoneAreNamed(t *testing.T) {
	g := &karbor.Graph{}
	server := g.Add(karbor.Resource{Type: karbor.ServerType, ID: "s"}, "")
	there, gone := g.Add(karbor.Resource{Type: karbor.VolumeType, ID: "v"}, ""), g.Add(karbor.Resource{Type: karbor.VolumeType, ID: "gone"}, "")
	f := newFinder(t)
	if err := f.StillThere(t.Context(), nil, []restoration.Absence{{Node: there, Of: server}}); err != nil {
		t.Error(err)
	}
	err := f.StillThere(t.Context(), nil, []restoration.Absence{{Node: there, Of: server}, {Node: gone, Of: server}})
	want := `resources: server s needs volume gone, which is not there any more: restore it too, with "OS::Cinder::Volume#gone" among the resources`
	if karbor.KindOf(err) != karbor.Invalid || err.Error() != want {
		t.Errorf("it is %v", err)
	}
}
