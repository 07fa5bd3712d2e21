package main

import (
	"github.com/karbor/karbor/bank"
	filebank "github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/plugin"
	"github.com/karbor/karbor/protectable"
	findimage "github.com/karbor/karbor/protectable/image"
	findnetwork "github.com/karbor/karbor/protectable/network"
	findproject "github.com/karbor/karbor/protectable/project"
	findserver "github.com/karbor/karbor/protectable/server"
	findvolume "github.com/karbor/karbor/protectable/volume"
	"github.com/karbor/karbor/protection"
	"github.com/karbor/karbor/protection/image"
	"github.com/karbor/karbor/protection/network"
	"github.com/karbor/karbor/protection/noop"
	"github.com/karbor/karbor/protection/project"
	"github.com/karbor/karbor/protection/server"
	"github.com/karbor/karbor/protection/volumeglance"
)

// sets are the banks and protection plug-ins of this program. A new one is one
// line here.
func sets() provider.Sets {
	return provider.Sets{
		Banks: plugin.Set[bank.Bank]{
			filebank.Plugin,
		},
		Protections: plugin.Set[protection.Plugin]{
			image.Plugin,
			network.Plugin,
			noop.Plugin,
			project.Plugin,
			server.Plugin,
			volumeglance.Plugin,
		},
	}
}

// protectables are the protectable plug-ins of this program, one for each type.
func protectables() plugin.Set[protectable.Plugin] {
	return plugin.Set[protectable.Plugin]{
		findimage.Plugin,
		findnetwork.Plugin,
		findproject.Plugin,
		findserver.Plugin,
		findvolume.Plugin,
	}
}
