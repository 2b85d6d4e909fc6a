"""The stages of tracking as the bar names them: told without importing what does the work."""

FINDING, FOLLOWING = 'Finding the person and the lens', 'Following the performance'
FINDING_IN_PICTURES = 'Finding the person in the pictures'
FOLLOWING_IN_PICTURES = 'Following the performance in the pictures'
