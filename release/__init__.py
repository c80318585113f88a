"""What makes a release out of a commit. Nothing here is shipped, and nothing that is shipped needs it."""
