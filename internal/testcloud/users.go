package testcloud

import (
	"fmt"
	"strings"
)

// User is one of the cloud's users, with what an openrc needs.
type User struct {
	ID, Name, Password     string
	ProjectID, ProjectName string
}

// Users gives all users, oldest first: admin, demo, demo-reader, other,
// karbor, and those added since.
func (c *Cloud) Users() []User {
	var users []User
	for _, u := range c.keystone.Users() {
		user := User{ID: u.ID, Name: u.Name, Password: u.Password, ProjectID: u.ProjectID}
		if p, ok := c.keystone.Project(u.ProjectID); ok {
			user.ProjectName = p.Name
		}
		users = append(users, user)
	}
	return users
}

// User gives the user of that name.
func (c *Cloud) User(name string) (User, bool) {
	for _, u := range c.Users() {
		if u.Name == name {
			return u, true
		}
	}
	return User{}, false
}

// OpenRC gives a shell script that sets the user's environment for
// openstackclient.
func (c *Cloud) OpenRC(u User) string {
	var b strings.Builder
	b.WriteString("unset OS_TOKEN OS_CLOUD OS_TRUST_ID OS_SYSTEM_SCOPE OS_PROJECT_ID\n")
	for _, line := range [][2]string{
		{"OS_AUTH_URL", c.URL()}, {"OS_IDENTITY_API_VERSION", "3"}, {"OS_VOLUME_API_VERSION", "3"},
		{"OS_REGION_NAME", c.region}, {"OS_INTERFACE", "public"},
		{"OS_USERNAME", u.Name}, {"OS_PASSWORD", u.Password}, {"OS_USER_DOMAIN_ID", "default"},
		{"OS_PROJECT_NAME", u.ProjectName}, {"OS_PROJECT_DOMAIN_ID", "default"},
	} {
		fmt.Fprintf(&b, "export %s=%s\n", line[0], quote(line[1]))
	}
	return b.String()
}

// quote makes text one word of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
