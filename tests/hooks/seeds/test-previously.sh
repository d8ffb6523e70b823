# Previously /repos/:owner/:repo/hooks/:id/test
curl -u "user:$PASSWORD" -i \
  -X POST "$API/repos/octocat/Hello-World/hooks/1/test"
