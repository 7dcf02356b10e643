"""What a page computes, away from the page: jobs, their queue and their results."""
